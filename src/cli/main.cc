#include <exception>

#include "cli/app.h"
#include "cli/report.h"
#include "cli/verbs.h"

int main(int argc, char** argv) {
  try {
    return tusk::cli::run(argc, argv);
  } catch (const std::exception& e) {
    tusk::cli::complain(e.what());
    return tusk::cli::kFailed;
  }
}
