// SPDX-License-Identifier: BSL-1.0
// weft-trace report - the trace in numbers.
#include "reader/report.hpp"

#include <memory>

#include "commands/commands.hpp"

namespace weft::tools {

void add_report(CLI::App& app) {
  CLI::App* c = app.add_subcommand(
      "report", "Says in numbers where the time went: workers, latencies, waits, fibers");
  const auto file = std::make_shared<std::string>();
  const auto out = std::make_shared<std::string>("-");
  const auto options = std::make_shared<report_options>();
  c->add_option("FILE", *file, "The trace")->required();
  c->add_option("-o,--output", *out, "Where to write; - is standard output")->capture_default_str();
  c->add_option("-n,--rows", options->rows, "Rows of each list")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000'000));
  c->add_flag("!--no-bars", options->bars, "Percentiles only, no histograms");
  c->callback([=] {
    const model m = make_model(read_or_throw(*file));
    output o(*out);
    o.write(report(m, *options));
    o.finish();
  });
}

}  // namespace weft::tools
