// A model of any parameters, as the io floor sees models.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/tensor.hpp"

namespace detrack::test {

/// What a layer's parameter looks like to this floor.
template <class T>
struct Parameter {
  View<T> value;
};

/// A model of any parameters.
template <class T>
struct Model {
  struct Entry {
    std::string name;
    Tensor<T> memory;
    Parameter<T> parameter;
  };
  std::vector<Entry> entries;

  void add(const std::string& name, const Shape& shape, float value = 0) {
    Tensor<T> memory(shape);
    for (std::int64_t i = 0; i < shape.numel(); ++i) memory.data()[i] = static_cast<T>(value + static_cast<float>(i));
    const View<T> view = memory.view();
    entries.push_back({name, std::move(memory), {view}});
  }
  template <class F>
  void visit(F&& f) {
    for (Entry& entry : entries) f(entry.name, entry.parameter);
  }
  /// Errors: std::out_of_range.
  std::vector<T> values_of(const std::string& name) const {
    for (const Entry& entry : entries)
      if (entry.name == name) return {entry.memory.data(), entry.memory.data() + entry.memory.numel()};
    throw std::out_of_range(name);
  }
  std::vector<T> values() const {
    std::vector<T> all;
    for (const Entry& entry : entries)
      all.insert(all.end(), entry.memory.data(), entry.memory.data() + entry.memory.numel());
    return all;
  }
};

}  // namespace detrack::test
