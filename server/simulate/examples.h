// The data of a simulation: read once, by the readers every client has, and dealt out. Thread
// safety: value types and pure functions of the files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/data/dataset.h"
#include "common/base/status.h"
#include "tutti/v1/config.pb.h"
#include "tutti/v1/simulation.pb.h"

namespace tutti::simulate {

struct DataSettings {
  std::string data;            // a client's file, or a folder of the MNIST family
  std::string test = {};       // the same for what models are measured on; empty: a part of `data`
  double test_fraction = 0.1;  // of `data`, when neither `test` nor the folder has a test set
};

struct Examples {
  v1::DataConfig config;  // of train
  data::Dataset train;
  std::vector<std::uint32_t> owners;  // of train's examples: client, or kNobody
  std::uint32_t clients = 0;
  data::Dataset test;
};

// What a client's file, or part `part` ("train", "t10k") of a folder of the MNIST family, reads:
// all of it, without slice. InvalidArgument: the file's problems.
StatusOr<v1::DataConfig> DataConfigOf(const std::string& path, const std::string& part);

// Errors: as data::Load, naming the file; InvalidArgument when the partition does not fit the data.
StatusOr<Examples> LoadExamples(const DataSettings& settings, const v1::ModelSpec& model,
                                const v1::SimulationConfig& world);

}  // namespace tutti::simulate
