// Structures of options from JSON and into JSON, by one list of their fields.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/io/json.hpp"
#include "detrack/io/quoted.hpp"

// A structure of options has `template <class F> void fields(F&& f)` that calls, for each of its fields,
//   f.number(name, member, least, most), f.flag(name, member), f.text(name, member), f.choice(name, member, names),
//   f.texts(name, vector), f.object(name, structure of options), f.objects(name, vector of them) or f.any(name, json).
// That one list reads, checks and writes it. A field that the JSON leaves out keeps its value.

namespace detrack {

namespace detail {

/// For messages: a plain value in a few letters, or what else it is. (Writing out what a hostile file has nested without end
/// would overflow the stack.)
inline std::string shown(const nlohmann::json& json) {
  if (json.is_object()) return "an object";
  if (json.is_array()) return "a list";
  return escaped(json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace), 40);
}

class JsonReader {
 public:
  JsonReader(const nlohmann::json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object())
      fail(ErrorCode::config, where_, ": (whole): expected a JSON object, got ",
           json.is_discarded() ? "something else" : shown(json));
  }

  template <class N>
  void number(const char* name, N& value, double least, double most) {
    const nlohmann::json* found = find(name);
    if (!found) return;
    constexpr bool integer = std::is_integral_v<N>;
    if (!found->is_number() || (integer && !found->is_number_integer()))
      wrong(name, integer ? "an integer" : "a number", *found);
    const double got = found->get<double>();
    if (!(got >= least && got <= most))
      fail(ErrorCode::config, where_, ": ", name, ": expected a number in [", least, ", ", most, "], got ", got);
    value = found->get<N>();
  }
  /// Errors: config, where a field is absent.
  void require(const char* name) {
    if (!find(name)) fail(ErrorCode::config, where_, ": ", name, ": expected a value, got none");
  }
  template <std::size_t n>
  void numbers(const char* name, std::array<double, n>& values) {
    const nlohmann::json* found = find(name);
    if (!found) return;
    const auto is_number = [](const nlohmann::json& one) { return one.is_number(); };
    if (!found->is_array() || found->size() != n || !std::all_of(found->begin(), found->end(), is_number))
      wrong(name, concat("a list of ", n, " numbers").c_str(), *found);
    for (std::size_t i = 0; i < n; ++i) values[i] = (*found)[i].get<double>();
  }
  void flag(const char* name, bool& value) {
    if (const nlohmann::json* found = find(name)) {
      if (!found->is_boolean()) wrong(name, "true or false", *found);
      value = found->get<bool>();
    }
  }
  void text(const char* name, std::string& value) {
    if (const nlohmann::json* found = find(name)) {
      if (!found->is_string()) wrong(name, "a string", *found);
      value = found->get<std::string>();
    }
  }
  void choice(const char* name, std::string& value, std::span<const char* const> names) {
    text(name, value);
    std::string known;
    for (const char* one : names) {
      if (value == one) return;
      known += (known.empty() ? "" : ", ") + std::string(one);
    }
    fail(ErrorCode::config, where_, ": ", name, ": expected one of ", known, ", got ", in_quotes(value));
  }
  void texts(const char* name, std::vector<std::string>& values) {
    const nlohmann::json* found = find(name);
    if (!found) return;
    if (!found->is_array()) wrong(name, "a list of strings", *found);
    values.clear();
    for (const auto& one : *found) {
      if (!one.is_string()) wrong(name, "a list of strings", *found);
      values.push_back(one.get<std::string>());
    }
  }
  template <class Object>
  void object(const char* name, Object& value) {
    if (const nlohmann::json* found = find(name)) {
      JsonReader inner(*found, where_ + ": " + name);
      value.fields(inner);
      inner.finish();
    }
  }
  template <class Object>
  void objects(const char* name, std::vector<Object>& values) {
    const nlohmann::json* found = find(name);
    if (!found) return;
    if (!found->is_array()) wrong(name, "a list of objects", *found);
    values.clear();
    for (std::size_t i = 0; i < found->size(); ++i) {
      JsonReader inner((*found)[i], where_ + ": " + name + "[" + std::to_string(i) + "]");
      values.emplace_back().fields(inner);
      inner.finish();
    }
  }
  void any(const char* name, nlohmann::json& value) {
    if (const nlohmann::json* found = find(name)) value = *found;
  }

  /// Errors: config, for a field that nobody asked for: a misspelt option must not be a default in silence.
  void finish() const {
    for (const auto& [name, value] : json_.items())
      if (!known_.contains(name)) {
        std::string known;
        for (const std::string& one : known_) known += (known.empty() ? "" : ", ") + one;
        fail(ErrorCode::config, where_, ": ", escaped(name, 40), ": expected a known field (", known,
             "), got an unknown one");
      }
  }

 private:
  const nlohmann::json* find(const char* name) {
    known_.insert(name);
    const auto it = json_.find(name);
    return it == json_.end() ? nullptr : &*it;
  }
  [[noreturn]] void wrong(const char* name, const char* expected, const nlohmann::json& got) const {
    fail(ErrorCode::config, where_, ": ", name, ": expected ", expected, ", got ", shown(got));
  }

  const nlohmann::json& json_;
  std::string where_;
  std::set<std::string> known_;
};

class JsonWriter {
 public:
  template <class N>
  void number(const char* name, N& value, double, double) {
    json[name] = value;
  }
  void flag(const char* name, bool& value) { json[name] = value; }
  void text(const char* name, std::string& value) { json[name] = value; }
  void choice(const char* name, std::string& value, std::span<const char* const>) { json[name] = value; }
  void texts(const char* name, std::vector<std::string>& values) { json[name] = values; }
  template <class Object>
  void object(const char* name, Object& value) {
    JsonWriter inner;
    value.fields(inner);
    json[name] = std::move(inner.json);
  }
  template <class Object>
  void objects(const char* name, std::vector<Object>& values) {
    auto& list = json[name] = nlohmann::ordered_json::array();
    for (Object& value : values) {
      JsonWriter inner;
      value.fields(inner);
      list.push_back(std::move(inner.json));
    }
  }
  void any(const char* name, nlohmann::json& value) { json[name] = value; }

  nlohmann::ordered_json json = nlohmann::ordered_json::object();
};

}  // namespace detail

/// Errors: config, naming `where` and the field.
template <class Object>
void read_fields(const nlohmann::json& json, Object& object, const std::string& where) {
  detail::JsonReader reader(json, where);
  object.fields(reader);
  reader.finish();
}

template <class Object>
nlohmann::ordered_json write_fields(Object object) {
  detail::JsonWriter writer;
  object.fields(writer);
  return std::move(writer.json);
}

}  // namespace detrack
