// The configuration of a model as JSON, the way it travels in a weights file.
#pragma once

#include <string>

#include "detrack/io/json.hpp"
#include "detrack/io/json_fields.hpp"
#include "detrack/model/config.hpp"

namespace detrack {

inline std::string to_json(const Config& c) {
  nlohmann::ordered_json json;
  json["name"] = c.name;
  detail::for_each_config_number(c, [&](const char* name, auto value, double, double, bool) { json[name] = value; });
  json["mean"] = c.mean;
  json["std"] = c.std;
  detail::for_each_config_switch(c, [&](const char* name, bool value) { json[name] = value; });
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);  // a name need not be UTF-8
}

/// Reads and validates. Fields that shape the weights must be there; the others default. Errors: config, naming the field.
inline Config config_from_json(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  detail::JsonReader fields(json, "config");
  Config c;
  fields.text("name", c.name);
  detail::for_each_config_number(c, [&](const char* name, auto& value, double least, double most, bool required) {
    if (required) fields.require(name);
    fields.number(name, value, least, most);
  });
  fields.numbers("mean", c.mean);
  fields.numbers("std", c.std);
  detail::for_each_config_switch(c, [&](const char* name, bool& value) { fields.flag(name, value); });
  fields.finish();
  validate(c);
  return c;
}

}  // namespace detrack
