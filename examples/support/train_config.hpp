// The configuration of a training run: a JSON file, and what the command line changes in it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "detrack/io/json.hpp"
#include "detrack/io/json_fields.hpp"
#include "detrack/model/config_json.hpp"
#include "detrack/model/masked_autoencoder_config.hpp"
#include "detrack/train/options.hpp"
#include "examples/support/read_text.hpp"

namespace detrack::program {

/// A folder of training data.
struct DataEntry {
  std::string name, path;
  double weight = 1;
  std::vector<std::string> only;  ///< sequences whose names begin with one of these; none: all
  std::string subset;             ///< train, val, ... where the folder has several

  template <class F>
  void fields(F&& f) {
    f.text("name", name);
    f.text("path", path);
    f.number("weight", weight, 0, 1e9);
    f.texts("only", only);
    f.text("subset", subset);
  }
};

/// Held sequences that are tracked now and then.
struct ValidationEntry {
  std::string path, subset;
  std::int64_t every = 2000;           ///< updates
  std::vector<std::string> sequences;  ///< none: all
  std::string memory = "fixed";        ///< when views become templates: fixed (never), always, gated (needs an IoU head)

  template <class F>
  void fields(F&& f) {
    f.text("path", path);
    f.text("subset", subset);
    f.number("every", every, 1, 1e12);
    f.texts("sequences", sequences);
    static constexpr const char* kModes[] = {"fixed", "always", "gated"};
    f.choice("memory", memory, kModes);
  }
};

struct LoaderEntry {
  std::int64_t threads = 2;
  std::int64_t ahead = 3;        ///< batches
  std::int64_t cache_mb = 4096;  ///< of decoded pictures that stay in the host's memory
  /// Of decoded pictures that stay in the device's memory, where crops are then made; 0: the threads make them. What it has
  /// no room for waits in the host's memory with its batches, `ahead` and one more of them, or a rollout's.
  std::int64_t device_mb = 0;

  template <class F>
  void fields(F&& f) {
    f.number("threads", threads, 1, 256);
    f.number("ahead", ahead, 1, 64);
    f.number("cache_mb", cache_mb, 0, 1e7);
    f.number("device_mb", device_mb, 0, 1e7);
  }
};

struct TrainConfig {
  nlohmann::json model = "detrack-n128";  ///< a preset's name, a configuration, or {"preset": name, field: value, ...}
  nlohmann::json autoencoder = nlohmann::json::object();  ///< stage mae: fields of MaskedAutoencoderConfig
  std::string init;                                       ///< weights to begin with: DeTrack, or a ViT
  TrainOptions train;
  std::vector<DataEntry> data;
  ValidationEntry validation;
  LoaderEntry loader;
  std::int64_t epoch = 60000;           ///< samples of an epoch, for people: nothing else hangs on it
  std::int64_t log_every = 50;          ///< updates between two lines of metrics.jsonl
  std::int64_t checkpoint_every = 500;  ///< updates

  template <class F>
  void fields(F&& f) {
    f.any("model", model);
    f.any("autoencoder", autoencoder);
    f.text("init", init);
    train.fields(f);
    f.objects("data", data);
    f.object("validation", validation);
    f.object("loader", loader);
    f.number("epoch", epoch, 1, 1e12);
    f.number("log_every", log_every, 1, 1e9);
    f.number("checkpoint_every", checkpoint_every, 1, 1e9);
  }

  /// Errors: config.
  MaskedAutoencoderConfig autoencoder_config() const {
    if (!autoencoder.is_object()) fail(ErrorCode::config, "autoencoder: expected a JSON object");
    auto json = nlohmann::json::parse(to_json(MaskedAutoencoderConfig{}));
    json.update(autoencoder);
    return masked_autoencoder_config_from_json(json.dump());
  }
  Config model_config() const {
    if (model.is_string()) return preset(model.get<std::string>());
    if (!model.contains("preset")) return config_from_json(model.dump());
    const auto& name = model["preset"];
    if (!name.is_string()) fail(ErrorCode::config, "model: preset: expected a string, got ", name.dump());
    auto json = nlohmann::json::parse(to_json(preset(name.get<std::string>())));
    json.update(model);
    json.erase("preset");
    return config_from_json(json.dump());
  }
};

/// Errors: io; format (no JSON); config (fields).
inline nlohmann::json read_json(const std::filesystem::path& path) {
  const auto text = read_text(path);
  if (!text) fail(ErrorCode::io, path.string(), ": cannot open the configuration");
  try {
    return nlohmann::json::parse(*text, nullptr, true, true);  // comments are allowed
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorCode::format, path.string(), ": expected JSON: ", error.what());
  }
}

/// Sets the field at a dotted path ("optimizer.lr=1e-4"); what is no JSON is a string. Errors: argument.
inline void set_field(nlohmann::json& json, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) fail(ErrorCode::argument, "--set: expected FIELD=VALUE, got ", assignment);
  std::string pointer = "/" + assignment.substr(0, equals);
  for (char& c : pointer)
    if (c == '.') c = '/';
  const std::string value = assignment.substr(equals + 1);
  auto parsed = nlohmann::json::parse(value, nullptr, false);
  try {
    if (pointer.starts_with("/model/") && json.contains("model") && json["model"].is_string())
      json["model"] = {{"preset", json["model"]}};
    json[nlohmann::json::json_pointer(pointer)] = parsed.is_discarded() ? nlohmann::json(value) : parsed;
  } catch (const nlohmann::json::exception&) {
    fail(ErrorCode::argument, "--set: there can be no field ", assignment.substr(0, equals));
  }
}

/// NAME=DIR or NAME=DIR,WEIGHT: where the data of that name are; a name that the file does not have is added. What is wrong
/// with the file's own data is read_fields()'s to say. Errors: argument.
inline void set_data(nlohmann::json& json, const std::string& text) {
  const std::size_t equals = text.find('='), comma = text.rfind(',');
  if (equals == std::string::npos || equals == 0)
    fail(ErrorCode::argument, "--data: expected NAME=DIR or NAME=DIR,WEIGHT, got ", text);
  const std::string name = text.substr(0, equals);
  std::string path = text.substr(equals + 1);
  nlohmann::json weight;
  if (comma != std::string::npos && comma > equals) {
    weight = nlohmann::json::parse(text.substr(comma + 1), nullptr, false);
    if (weight.is_number()) path = text.substr(equals + 1, comma - equals - 1);
  }
  auto& list = json["data"];
  if (list.is_null()) list = nlohmann::json::array();
  if (!list.is_array()) return;
  nlohmann::json* entry = nullptr;
  for (auto& one : list)
    if (one.is_object() && one.contains("name") && one["name"] == name) entry = &one;
  if (!entry) entry = &list.emplace_back(nlohmann::json{{"name", name}});
  (*entry)["path"] = path;
  if (weight.is_number()) (*entry)["weight"] = weight;
}

}  // namespace detrack::program
