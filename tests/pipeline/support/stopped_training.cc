// SPDX-License-Identifier: Apache-2.0
// `penchant train` or `run` of a user who interrupts it after so many steps: what tests of the
// command line resume. Exit codes as there.
// usage: stopped_training STEPS train DATA MODEL [KEY=VALUE ...]
//        stopped_training STEPS run CONFIG [KEY=VALUE ...]
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "pipeline/artifact/exit_codes.h"
#include "pipeline/config/config.h"
#include "pipeline/training/node_order.h"
#include "pipeline/workflow/run.h"
#include "tests/pipeline/support/stop_after.h"

namespace {

using namespace penchant::pipeline;

bool is_interrupted(const std::vector<std::string>& arguments) {
  penchant::testing::StopAfter progress(std::atoll(arguments.at(0).c_str()));
  const bool runs = arguments.at(1) == "run";
  Config config = runs ? read_config(arguments.at(2)) : Config();
  for (std::size_t k = runs ? 3 : 4; k < arguments.size(); ++k) apply_setting(config, arguments[k]);
  if (runs) return run_all(config, progress).interrupted;
  const std::string& data = arguments.at(2);
  const auto backend = penchant::kernels::make_backend(config.backend);
  const Dataset dataset = read_dataset(data);
  const Graphs graphs = load_or_build_graphs(data, dataset, config.graph, progress);
  load_metis_order(data, dataset, graphs, config.partition, config.train, progress);
  return train(dataset, graphs, config.train, effective_toml(config), arguments.at(3), *backend,
               progress)
      .interrupted;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return is_interrupted({argv + 1, argv + argc}) ? kExitInterrupted : 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kExitUsage;
  }
}
