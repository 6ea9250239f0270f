// Whether the outcomes of operations on a handful of names are those of some serial order of them
// (linearizability, by the search of Wing and Gong with the configurations of Lowe: "Testing for
// linearizability").
//
// 1. What changed something is strict: it took effect between its question and its answer.
// 2. What was refused, and looks, saw one state between their question and their answer, or, where
//    `lag` allows for it, one of so long before.
// 3. What was cut short (`certain` is false) took effect before its span's end, or never.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/history.h"

namespace tusk::test {

// The names of a test. Each is in the root, or in the folder that another name stands for.
struct NameSpace {
  struct Name {
    std::string path;
    int inside = -1;  // index of the folder's name; -1: of a folder that is always there
  };
  std::vector<Name> names;
};

struct NameStep {
  enum class Kind {
    create,  // O_EXCL
    make_folder,
    remove_folder,
    unlink,
    link,  // of a file that is always there
    rename,
    rename_noreplace,
    look,  // open: 0, ENOENT, or EISDIR for a folder
  };
  Kind kind;
  int name;
  int other = -1;   // the new name of a rename
  int outcome = 0;  // errno
  Span span = {};
  bool certain = true;
  Moment told = kNever;  // of one that was cut short: when its worker was told so
  int place = 0;         // the mount
  std::string by = {};
};

std::string to_string(const NameSpace& names, const NameStep& step);

// All names are free at first. Empty: there is such an order; else the story of the first answer
// that none explains.
std::string names_fault(const NameSpace& names, const std::vector<NameStep>& steps, Moment lag = 0);

}  // namespace tusk::test
