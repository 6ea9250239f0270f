#include "support/register_check.h"

#include <algorithm>
#include <map>
#include <optional>

namespace tusk::test {
namespace {

// A value: its write, and what is known of it by those who read it.
struct Cluster {
  const RegisterWrite* write;
  Moment shown;                    // reads that may lag need not see it before
  Moment last_begun;               // of its write and the reads that may not lag
  Moment last_lagging = kLongAgo;  // of the reads that may
  Moment first_ended;              // of all
  const RegisterRead* last_read = nullptr;
  bool is_read = false;
};

class RegisterCheck {
 public:
  RegisterCheck(const RegisterHistory& history, Order order) : history_(history), order_(order) {
    first_ = {.value = history.first, .span = {kLongAgo, kLongAgo}};
    add(first_);
    for (const RegisterWrite& write : history.writes) add(write);
  }

  std::vector<std::string> run() {
    for (const RegisterRead& read : history_.reads) note(read);
    drop_what_never_was();
    find_order();
    return std::move(faults_);
  }

 private:
  void add(const RegisterWrite& write) {
    if (!by_value_.emplace(write.value, clusters_.size()).second)
      fault("the test is wrong: written twice: " + write.value);
    clusters_.push_back({.write = &write,
                         .shown = std::max(write.shown, write.span.ended),
                         .last_begun = write.span.begun,
                         .first_ended = write.span.ended});
  }

  void note(const RegisterRead& read) {
    if (read.value.empty()) return check_empty(read);
    const auto found = by_value_.find(read.value);
    if (found == by_value_.end())
      return fault(read.by + " read what nobody wrote: " + read.value.substr(0, 200));
    Cluster& of = clusters_[found->second];
    if (read.span.ended < of.write->span.begun)
      return fault(read.by + " read before it was written: " + read.value);
    of.is_read = true;
    Moment& last = read.may_lag ? of.last_lagging : of.last_begun;
    if (read.span.begun > std::max(of.last_begun, of.last_lagging)) of.last_read = &read;
    last = std::max(last, read.span.begun);
    of.first_ended = std::min(of.first_ended, read.span.ended);
  }

  // Somebody has emptied it and not written yet, or was cut short in between and nobody has written
  // it since.
  void check_empty(const RegisterRead& read) {
    const bool may_be = std::ranges::any_of(history_.writes, [&](const RegisterWrite& w) {
      return w.empties && w.span.begun < read.span.ended && w.span.ended > read.span.begun &&
             !written_between(w.told, read.span.begun);
    });
    if (!may_be) fault(read.by + " found nothing, while nobody wrote");
  }
  bool written_between(Moment from, Moment to) const {
    return std::ranges::any_of(history_.writes, [&](const RegisterWrite& w) {
      return w.span.begun > from && w.span.ended < to;
    });
  }

  void drop_what_never_was() {
    std::erase_if(clusters_,
                  [](const Cluster& c) { return c.write->span.ended == kNever && !c.is_read; });
  }

  bool comes_before(const Cluster& a, const Cluster& b) const {
    if (order_ == Order::atomic && a.first_ended < b.last_begun) return true;
    return a.write->span.ended < b.last_begun || a.shown < b.last_lagging ||
           a.first_ended < b.write->span.begun;
  }

  // Takes away values that none of the others must precede; those that stay precede each other.
  void find_order() {
    const std::size_t n = clusters_.size();
    std::vector<std::size_t> before(n, 0), ready;
    for (std::size_t b = 0; b < n; b++) {
      for (std::size_t a = 0; a < n; a++)
        if (a != b && comes_before(clusters_[a], clusters_[b])) before[b]++;
      if (before[b] == 0) ready.push_back(b);
    }
    std::vector<bool> done(n, false);
    while (!ready.empty()) {
      const std::size_t a = ready.back();
      ready.pop_back();
      done[a] = true;
      for (std::size_t b = 0; b < n; b++)
        if (a != b && !done[b] && comes_before(clusters_[a], clusters_[b]) && --before[b] == 0)
          ready.push_back(b);
    }
    tell_cycles(done);
  }

  void tell_cycles(const std::vector<bool>& done) {
    const std::size_t n = clusters_.size();
    std::size_t told = 0;
    for (std::size_t a = 0; a < n; a++) {
      for (std::size_t b = a + 1; b < n && told < 5; b++) {
        if (done[a] || done[b] || !comes_before(clusters_[a], clusters_[b]) ||
            !comes_before(clusters_[b], clusters_[a]))
          continue;
        fault("each came before the other: " + text_of(clusters_[a]) + "; " +
              text_of(clusters_[b]));
        told++;
      }
    }
    if (told == 0 && std::ranges::find(done, false) != done.end())
      fault("no order of the writes explains what was read");
  }

  static std::string text_of(Moment moment) {
    if (moment == kNever || moment == kLongAgo) return moment == kNever ? "never" : "first";
    return std::to_string(moment / 1000) + "us";
  }
  static std::string text_of(const Cluster& c) {
    std::string text = "'" + c.write->value.substr(0, 60) + "' written " +
                       text_of(c.write->span.begun) + " to " + text_of(c.write->span.ended);
    if (c.last_read)
      text += ", read last by " + c.last_read->by + " " + text_of(c.last_read->span.begun) +
              " to " + text_of(c.last_read->span.ended);
    return text + ", first known " + text_of(c.first_ended);
  }
  void fault(const std::string& what) { faults_.push_back(history_.name + ": " + what); }

  const RegisterHistory& history_;
  Order order_;
  RegisterWrite first_;
  std::vector<Cluster> clusters_;
  std::map<std::string, std::size_t> by_value_;
  std::vector<std::string> faults_;
};

}  // namespace

std::vector<std::string> faults_of(const RegisterHistory& history, Order order) {
  return RegisterCheck(history, order).run();
}

}  // namespace tusk::test
