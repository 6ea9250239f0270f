#include "objects/s3/xml.h"

#include <charconv>

namespace tusk::objects {
namespace {

constexpr int kDeepest = 16;

void append_utf8(std::string& out, std::uint32_t c) {
  const auto add = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) return add(c);
  if (c < 0x800) {
    add(0xc0 | c >> 6);
  } else {
    if (c < 0x10000) {
      add(0xe0 | c >> 12);
    } else {
      add(0xf0 | c >> 18);
      add(0x80 | (c >> 12 & 0x3f));
    }
    add(0x80 | (c >> 6 & 0x3f));
  }
  add(0x80 | (c & 0x3f));
}

// `name` is what stands between & and ;
bool append_entity(std::string& out, std::string_view name) {
  constexpr std::pair<std::string_view, char> kNamed[] = {
      {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
  for (const auto& [known, c] : kNamed) {
    if (name != known) continue;
    out += c;
    return true;
  }
  if (!name.starts_with('#')) return false;
  name.remove_prefix(1);
  const bool hex = name.starts_with('x');
  if (hex) name.remove_prefix(1);
  std::uint32_t c = 0;
  const auto [end, error] =
      std::from_chars(name.data(), name.data() + name.size(), c, hex ? 16 : 10);
  if (error != std::errc() || end != name.data() + name.size() || c == 0 || c > 0x10ffff)
    return false;
  append_utf8(out, c);
  return true;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : left_(text) {}

  std::optional<Xml> document() {
    Xml root;
    if (!skip_asides() || !element(root, 0) || !skip_asides() || !left_.empty())
      return std::nullopt;
    return root;
  }

 private:
  bool take(std::string_view token) {
    if (!left_.starts_with(token)) return false;
    left_.remove_prefix(token.size());
    return true;
  }
  bool skip_past(std::string_view token) {
    const std::size_t at = left_.find(token);
    if (at == std::string_view::npos) return false;
    left_.remove_prefix(at + token.size());
    return true;
  }
  void skip_space() {
    const std::size_t at = left_.find_first_not_of(" \t\r\n");
    left_.remove_prefix(at == std::string_view::npos ? left_.size() : at);
  }
  // Prolog and comments outside the root element.
  bool skip_asides() {
    take("\xef\xbb\xbf");
    for (;;) {
      skip_space();
      if (take("<?")) {
        if (!skip_past("?>")) return false;
      } else if (take("<!--")) {
        if (!skip_past("-->")) return false;
      } else {
        return true;
      }
    }
  }

  bool element(Xml& into, int depth) {
    if (depth > kDeepest || !take("<")) return false;
    into.name = left_.substr(0, left_.find_first_of(" \t\r\n/>"));
    if (into.name.empty() || into.name.find_first_of("<!?&") != std::string::npos) return false;
    left_.remove_prefix(into.name.size());
    if (!attributes()) return false;
    if (take("/>")) return true;
    if (!take(">")) return false;
    return content(into, depth) && take(into.name) && (skip_space(), take(">"));
  }

  bool attributes() {
    for (;;) {
      skip_space();
      if (left_.empty()) return false;
      if (left_.front() == '>' || left_.front() == '/') return true;
      if (!skip_past("=") || left_.empty()) return false;
      const char quote = left_.front();
      if (quote != '"' && quote != '\'') return false;
      left_.remove_prefix(1);
      if (!skip_past({&quote, 1})) return false;
    }
  }

  // Up to the name in the closing tag.
  bool content(Xml& into, int depth) {
    for (;;) {
      const std::size_t at = left_.find_first_of("<&");
      if (at == std::string_view::npos) return false;
      into.text += left_.substr(0, at);
      left_.remove_prefix(at);
      if (take("</")) return true;
      if (take("&")) {
        const std::size_t end = left_.find(';');
        if (end == std::string_view::npos || !append_entity(into.text, left_.substr(0, end)))
          return false;
        left_.remove_prefix(end + 1);
      } else if (take("<!--")) {
        if (!skip_past("-->")) return false;
      } else if (!element(into.children.emplace_back(), depth + 1)) {
        return false;
      }
    }
  }

  std::string_view left_;
};

}  // namespace

const Xml* Xml::child(std::string_view wanted) const {
  for (const Xml& each : children) {
    if (each.name == wanted) return &each;
  }
  return nullptr;
}

std::string Xml::text_of(std::string_view wanted) const {
  const Xml* const found = child(wanted);
  return found ? found->text : std::string();
}

std::optional<Xml> parse_xml(std::string_view text) { return Parser(text).document(); }

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace tusk::objects
