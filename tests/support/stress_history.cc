#include "support/stress_history.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <random>

#include "support/fs_calls.h"

namespace tusk::test {

std::uint64_t stress_seed() {
  const char* text = std::getenv("TUSKFS_SEED");
  const std::uint64_t seed = text ? std::strtoull(text, nullptr, 10) : std::random_device()();
  std::cout << "TUSKFS_SEED=" << seed << std::endl;
  return seed;
}

std::chrono::seconds stress_time(std::chrono::seconds otherwise) {
  const char* text = std::getenv("TUSKFS_STRESS_SECONDS");
  return text ? std::chrono::seconds(std::strtoll(text, nullptr, 10)) : otherwise;
}

namespace {

// In place no more than a page: the kernel gives a longer one to readers page by page. Otherwise
// inline, in chunks, and anything between.
std::size_t length_of(const Cell& cell, std::size_t hash) {
  constexpr std::size_t kSizes[] = {100, 3'000, 70'000, 200'000};
  return cell.way == Cell::Way::in_place ? 1'000 : kSizes[hash % std::size(kSizes)];
}

}  // namespace

std::string body_of(const Cell& cell, const std::string& value) {
  const std::size_t hash = std::hash<std::string>{}(value);
  std::string body = value + "\n" + pattern(length_of(cell, hash), hash);
  body.resize(length_of(cell, hash));
  return body;
}

std::string value_of(const Cell& cell, const std::string& body) {
  if (body.empty()) return "";
  const std::string value = body.substr(0, body.find('\n'));
  if (body == body_of(cell, value)) return value;
  return "(torn: " + std::to_string(body.size()) + " bytes, beginning with " + value.substr(0, 40) +
         ")";
}

Histories::Histories(std::vector<Cell> cells, NameSpace names)
    : cells_(std::move(cells)), names_(std::move(names)) {
  for (const Cell& cell : cells_) registers_.push_back({cell.name, kFirstValue, {}, {}});
}

RegisterHistory& Histories::of(const Cell& cell) {
  return *std::ranges::find(registers_, cell.name, &RegisterHistory::name);
}

void Histories::add(const Cell& cell, RegisterWrite write) {
  const std::lock_guard lock(mutex_);
  of(cell).writes.push_back(std::move(write));
}

void Histories::add(const Cell& cell, RegisterRead read) {
  const std::lock_guard lock(mutex_);
  of(cell).reads.push_back(std::move(read));
}

void Histories::add(NameStep step) {
  const std::lock_guard lock(mutex_);
  steps_.push_back(std::move(step));
}

void Histories::surprise(const std::string& what) {
  const std::lock_guard lock(mutex_);
  if (surprises_.size() < 20) surprises_.push_back(what);
}

void Histories::cut_short(const std::string& what) {
  const std::lock_guard lock(mutex_);
  cut_++;
  if (!cuts_expected_ && surprises_.size() < 20) surprises_.push_back("cut short: " + what);
}

void Histories::settled(Moment at) {
  const std::lock_guard lock(mutex_);
  for (NameStep& step : steps_)
    if (step.span.ended == kNever) step.span.ended = at;
}

// A mount commits in the order in which it was asked: what it was cut short in is decided when it
// has answered a later change.
std::vector<NameStep> Histories::decided_steps() const {
  std::vector<NameStep> steps = steps_;
  for (NameStep& cut : steps) {
    if (cut.certain) continue;
    for (const NameStep& later : steps_)
      if (later.place == cut.place && later.certain && later.outcome == 0 &&
          later.kind != NameStep::Kind::look && later.span.begun > cut.told)
        cut.span.ended = std::min(cut.span.ended, later.span.ended);
  }
  return steps;
}

Histories::Counts Histories::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts{.cut = cut_};
  for (const RegisterHistory& each : registers_) {
    counts.writes += each.writes.size();
    counts.reads += each.reads.size();
  }
  for (const NameStep& step : steps_)
    (step.outcome == 0 && step.kind != NameStep::Kind::look ? counts.changes : counts.refusals)++;
  return counts;
}

std::vector<std::string> Histories::faults(Order order, Moment names_lag) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all = surprises_;
  for (const RegisterHistory& each : registers_)
    for (std::string& fault : faults_of(each, order)) all.push_back(std::move(fault));
  if (!steps_.empty()) {
    const std::string fault = names_fault(names_, decided_steps(), names_lag);
    if (!fault.empty()) all.push_back(fault);
  }
  return all;
}

}  // namespace tusk::test
