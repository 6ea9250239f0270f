#include "objects/s3/http.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

namespace tusk::objects {
namespace {

constexpr std::size_t kLongestBody = 64 << 20;
constexpr std::size_t kIdleMost = 16;

// One request while curl has it.
struct Exchange {
  const HttpRequest& request;
  HttpResponse response;
  std::uint64_t sent = 0;
  bool head_ended = false;
  bool too_long = false;
  int read_error = 0;
};

std::size_t on_body(char* data, std::size_t, std::size_t n, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  Buffer& body = exchange.response.body;
  if (body.size() + n > kLongestBody) {
    exchange.too_long = true;
    return 0;
  }
  body.insert(body.end(), data, data + n);
  return n;
}

std::size_t on_header(char* data, std::size_t, std::size_t n, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  const std::string_view line(data, n);
  // Those of an answer "100 Continue" are not of the answer proper.
  if (line.starts_with("HTTP/")) exchange.response.headers.clear();
  exchange.head_ended = line == "\r\n" || line == "\n";
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return n;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string_view value = line.substr(colon + 1);
  const std::size_t first = value.find_first_not_of(" \t");
  const std::size_t last = value.find_last_not_of(" \t\r\n");
  value = first == std::string_view::npos ? "" : value.substr(first, last + 1 - first);
  exchange.response.headers[name] = value;
  return n;
}

std::size_t on_send(char* into, std::size_t, std::size_t n, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  const auto got =
      exchange.request.payload.read(exchange.sent, {reinterpret_cast<std::uint8_t*>(into), n});
  if (!got) {
    exchange.read_error = got.error().code;
    return CURL_READFUNC_ABORT;
  }
  exchange.sent += *got;
  return *got;
}

int on_seek(void* context, curl_off_t offset, int origin) {
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<Exchange*>(context)->sent = static_cast<std::uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int on_progress(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(context)->request.stop.stop_requested() ? 1 : 0;
}

// Nothing of these gets better by trying again.
bool is_final(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
         code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT ||
         code == CURLE_SSL_CERTPROBLEM;
}

Error error_of(CURLcode code, const Exchange& exchange) {
  if (code == CURLE_ABORTED_BY_CALLBACK && exchange.read_error != 0)
    return {exchange.read_error, std::strerror(exchange.read_error), {}};
  if (code == CURLE_ABORTED_BY_CALLBACK) return {ECANCELED, "given up", {}};
  if (code == CURLE_OUT_OF_MEMORY) return {ENOMEM, "no memory", {}};
  if (exchange.too_long) return {EIO, "the answer is longer than any we asked for", {}};
  const std::string what =
      fmt::format("the server does not answer as it should ({})", curl_easy_strerror(code));
  return {is_final(code) ? EIO : ETIMEDOUT, what, {}};
}

struct ListEnd {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListEnd>;

List list_of(const std::vector<std::string>& lines) {
  List list;
  for (const std::string& line : lines) {
    curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    list.release();
    list.reset(longer);
  }
  return list;
}

void set_up(CURL* curl, Exchange& exchange, const HttpTimes& times) {
  const HttpRequest& request = exchange.request;
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(times.connect.count()));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(times.stall.count()));
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  // The path is signed as it is.
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &exchange);
  if (const char* bundle = std::getenv("AWS_CA_BUNDLE"); bundle != nullptr && *bundle != '\0')
    curl_easy_setopt(curl, CURLOPT_CAINFO, bundle);
}

void set_method(CURL* curl, Exchange& exchange) {
  const HttpRequest& request = exchange.request;
  if (request.method == "HEAD") {
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST") {
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE,
                     static_cast<curl_off_t>(request.payload.length()));
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_send);
    curl_easy_setopt(curl, CURLOPT_READDATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L << 10);
}

}  // namespace

struct Http::Handle {
  CURL* curl = curl_easy_init();
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { curl_easy_cleanup(curl); }
};

Result<std::size_t> Payload::read(std::uint64_t at, std::span<std::uint8_t> into) const {
  const std::size_t n = std::min<std::uint64_t>(into.size(), length() - at);
  if (fd < 0) {
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), n, into.begin());
    return n;
  }
  for (;;) {
    const ssize_t got = ::pread(fd, into.data(), n, static_cast<off_t>(offset + at));
    if (got > 0 || n == 0) return static_cast<std::size_t>(got);
    if (got < 0 && errno == EINTR) continue;
    return fail(got == 0 ? EIO : errno, "cannot read what is to be sent");
  }
}

std::string HttpResponse::header(const std::string& name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? std::string() : it->second;
}

Http::Http(HttpTimes times) : times_(times) {
  // Counted by curl itself: needs no partner at the end of the program.
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(ready);
}
Http::~Http() = default;

std::unique_ptr<Http::Handle> Http::borrow() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto handle = std::move(idle_.back());
      idle_.pop_back();
      return handle;
    }
  }
  auto handle = std::make_unique<Handle>();
  if (handle->curl == nullptr) throw std::bad_alloc();
  return handle;
}

void Http::give_back(std::unique_ptr<Handle> handle) {
  curl_easy_reset(handle->curl);  // keeps the connection
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kIdleMost) idle_.push_back(std::move(handle));
}

Result<HttpResponse> Http::perform(const HttpRequest& request) {
  auto handle = borrow();
  Exchange exchange{.request = request, .response = {}};
  const List headers = list_of(request.headers);
  set_up(handle->curl, exchange, times_);
  set_method(handle->curl, exchange);
  curl_easy_setopt(handle->curl, CURLOPT_HTTPHEADER, headers.get());
  const CURLcode code = curl_easy_perform(handle->curl);
  if (code != CURLE_OK) return std::unexpected(error_of(code, exchange));
  // To curl the end of the connection is as good as the end of the head.
  if (!exchange.head_ended) return fail(ETIMEDOUT, "the server's answer is cut off");
  curl_easy_getinfo(handle->curl, CURLINFO_RESPONSE_CODE, &exchange.response.status);
  give_back(std::move(handle));
  return std::move(exchange.response);
}

}  // namespace tusk::objects
