// Snapshots of trackers in files: a tracker goes on after its program has ended.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "detrack/io/json.hpp"
#include "detrack/io/json_fields.hpp"
#include "detrack/io/safetensors.hpp"
#include "detrack/model/config_json.hpp"
#include "detrack/model/weights_file.hpp"
#include "detrack/track/tracker.hpp"

namespace detrack {

namespace detail {

inline constexpr const char* kSnapshotKey = "detrack.tracker";

inline std::array<double, 4> box_numbers(const Box& box) {
  return {box.x, box.y, box.w, box.h};
}
inline Shape templates_shape(const Config& config) {
  return {config.templates, 3, config.template_size, config.template_size};
}
inline Box box_from_json(const nlohmann::json& json) {
  return {json.at(0).get<double>(), json.at(1).get<double>(), json.at(2).get<double>(), json.at(3).get<double>()};
}

}  // namespace detail

/// A safetensors file: `templates` (n, 3, Z, Z) in F32, all else as JSON in the metadata, numbers exact.
/// Errors: io, config; argument, where the templates are not those of the configuration. What was at `path` stays until the
/// new file is complete.
inline void save_snapshot(const std::filesystem::path& path, const TrackerSnapshot& snapshot) {
  const Config config = config_from_json(snapshot.config);
  const Shape shape = detail::templates_shape(config);
  if (snapshot.templates.size() != static_cast<std::size_t>(shape.numel()))
    fail(ErrorCode::argument, "save_snapshot: templates: expected ", shape.numel(), " numbers, got ",
         snapshot.templates.size());
  const TargetRecord& target = snapshot.target;
  nlohmann::ordered_json json{{"frame", target.frame},
                              {"width", target.width},
                              {"height", target.height},
                              {"box", detail::box_numbers(target.box)},
                              {"certain_box", detail::box_numbers(target.certain_box)},
                              {"state", to_string(target.state)},
                              {"uncertain_frames", target.uncertain_frames},
                              {"template_frames", target.template_frames}};
  json["trajectory"] = nlohmann::json::array();
  for (const Box& box : target.trajectory) json["trajectory"].push_back(detail::box_numbers(box));
  const View<const float> templates(snapshot.templates.data(), shape);
  save_safetensors(path, {SafetensorsEntry("templates", templates)},
                   {{detail::kSnapshotKey, json.dump()}, {Config::kMetadataKey, snapshot.config}});
}

/// What fits no tracker is found by restore(). Errors: io, format, config, state_dict, naming the file.
inline TrackerSnapshot load_snapshot(const std::filesystem::path& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const Config config = read_config(file);
  const auto text = file.metadata().find(detail::kSnapshotKey);
  if (text == file.metadata().end())
    fail(ErrorCode::format, file.path(), ": expected a tracker's state in metadata ", detail::kSnapshotKey, ", got none");
  TrackerSnapshot snapshot;
  snapshot.config = to_json(config);
  TargetRecord& target = snapshot.target;
  const auto whole = [&](const nlohmann::json& number) {  // the JSON library would cast whatever is there
    if (!number.is_number_integer())
      fail(ErrorCode::format, file.path(), ": ", detail::kSnapshotKey, ": expected a whole number, got ",
           detail::shown(number));
    return number.get<std::int64_t>();
  };
  try {
    const auto json = nlohmann::json::parse(text->second);
    target.frame = whole(json.at("frame"));
    target.width = whole(json.at("width"));
    target.height = whole(json.at("height"));
    target.box = detail::box_from_json(json.at("box"));
    target.certain_box = detail::box_from_json(json.at("certain_box"));
    target.uncertain_frames = whole(json.at("uncertain_frames"));
    for (const auto& frame : json.at("template_frames")) target.template_frames.push_back(whole(frame));
    for (const auto& box : json.at("trajectory")) target.trajectory.push_back(detail::box_from_json(box));
    const auto state = json.at("state").get<std::string>();
    for (const TargetState known : {TargetState::tracking, TargetState::uncertain, TargetState::lost})
      if (state == to_string(known)) target.state = known;
    if (state != to_string(target.state))
      fail(ErrorCode::format, file.path(), ": state: expected tracking, uncertain or lost, got ", detail::in_quotes(state));
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorCode::format, file.path(), ": ", detail::kSnapshotKey, ": ", detail::escaped(error.what(), 200));
  }
  const TensorInfo& templates = file.get("templates");
  const Shape expected = detail::templates_shape(config);
  if (!same_extents(templates, expected))
    fail(ErrorCode::state_dict, file.path(), ": templates: expected ", to_string(expected), ", got another shape");
  snapshot.templates.resize(static_cast<std::size_t>(expected.numel()));
  file.read(templates, 0, std::span<float>(snapshot.templates));
  return snapshot;
}

}  // namespace detrack
