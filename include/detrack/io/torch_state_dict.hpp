// The state dict in a PyTorch checkpoint: which of its dictionaries it is, and its tensors by name.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/io/torch_objects.hpp"
#include "detrack/io/weights_file.hpp"

namespace detrack::detail {

/// Walks through the values of a pickle. Dictionaries may be under many names and even in themselves, so depth, steps and
/// names are bounded.
class TorchStateDict {
 public:
  struct Named {
    std::string name;
    PickleValue tensor;
  };

  /// `only` names the tensor of a file that is nothing but a tensor.
  TorchStateDict(const std::string& path, std::uint64_t file_size, const PickleReader& reader, const PickleHeap& heap,
                 std::string only)
      : path_(path),
        reader_(reader),
        heap_(heap),
        only_(std::move(only)),
        steps_(8 * file_size + 4096),
        name_bytes_(pickle_budget(file_size)),
        most_tensors_(file_size / 32 + 64) {}

  /// Errors: format; state_dict, for a part that is not there.
  void find(PickleValue root, const WeightsOptions& options) {
    PickleValue chosen = root;
    if (!options.part.empty()) {
      choose_named(chosen, options.part);
    } else {
      for (int depth = 0; depth < kMaxDepth && !holds_tensors_itself(chosen); ++depth)
        if (!choose_usual(chosen)) break;
    }
    collect(chosen, std::string(), 0);
    if (tensors.empty())
      fail(ErrorCode::format, path_, ": expected tensors, got ", PickleReader::name(chosen), " without any");
  }

  std::vector<Named> tensors;
  std::string part;
  std::vector<WeightsContents::LeftOut> left_out;

 private:
  using Kind = PickleValue::Kind;
  static constexpr int kMaxDepth = 32;
  static constexpr std::size_t kMaxName = 1000;
  static constexpr std::array<std::string_view, 9> kUsualParts{
      "state_dict", "model_state_dict", "model", "net", "network", "module", "model_state", "weights", "params"};

  void step() {
    if (steps_-- == 0)
      fail(ErrorCode::format, path_, ": expected tensors under one name or a few, got the same ones again and again");
  }

  std::optional<PickleValue> value_of(PickleValue dictionary, std::string_view key) const {
    if (dictionary.kind != Kind::dictionary) return {};
    const PickleItems& items = heap_.items(dictionary);
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i].kind == Kind::text && reader_.text(items[i]) == key) return items[i + 1];
    return {};
  }
  bool holds_tensors_itself(PickleValue value) const {
    if (value.kind != Kind::dictionary) return true;  // there are no parts to choose from
    const PickleItems& items = heap_.items(value);
    for (std::size_t i = 1; i < items.size(); i += 2)
      if (TorchObjects::is_tensor(items[i])) return true;
    return false;
  }

  /// A key, or keys with dots between them: so `part` and `left_out` name what lies deeper.
  void choose_named(PickleValue& chosen, std::string_view name) {
    while (!name.empty()) {
      std::size_t end = name.size();
      auto found = value_of(chosen, name);
      while (!found && (end = name.rfind('.', end - 1)) != name.npos && end > 0)
        found = value_of(chosen, name.substr(0, end));
      if (!found) fail(ErrorCode::state_dict, path_, ": expected a part ", in_quotes(name), ", got ", parts_of(chosen));
      choose(chosen, name.substr(0, end), *found);
      name.remove_prefix(std::min(end + 1, name.size()));
    }
  }
  bool choose_usual(PickleValue& chosen) {
    for (const std::string_view usual : kUsualParts)
      if (const auto found = value_of(chosen, usual); found && count_tensors(*found, 0) > 0) {
        choose(chosen, usual, *found);
        return true;
      }
    return false;
  }
  void choose(PickleValue& chosen, std::string_view key, PickleValue found) {
    const std::string prefix = part.empty() ? "" : part + ".";
    const PickleItems& items = heap_.items(chosen);
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      if (items[i].kind != Kind::text || reader_.text(items[i]) == key) continue;
      if (const std::size_t count = count_tensors(items[i + 1], 0); count > 0 && left_out.size() < kShown)
        left_out.push_back({prefix + std::string(reader_.text(items[i]).substr(0, kMaxName)), count});
    }
    part = prefix + std::string(key);
    chosen = found;
  }
  std::string parts_of(PickleValue root) {
    if (root.kind != Kind::dictionary) return PickleReader::name(root);
    std::string text;
    std::size_t count = 0;
    const PickleItems& items = heap_.items(root);
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i].kind == Kind::text && ++count <= kShown)
        text += (count > 1 ? ", " : "") + in_quotes(reader_.text(items[i]));
    return count == 0 ? "a dictionary without names" : text + (count > kShown ? ", ..." : "");
  }

  std::size_t count_tensors(PickleValue value, int depth) {
    step();
    if (TorchObjects::is_tensor(value)) return 1;
    std::size_t count = 0;
    for_each_inner(value, depth, [&](PickleValue inner, auto&&) { count += count_tensors(inner, depth + 1); });
    return count;
  }

  /// The key of a dictionary as a part of a name; nothing for keys that cannot be one.
  std::optional<std::string> key_text(PickleValue key) const {
    if (key.kind == Kind::text) return std::string(reader_.text(key).substr(0, kMaxName + 1));
    if (key.kind == Kind::integer) return std::to_string(heap_.integers[key.at]);
    return {};
  }

  /// f(value, () -> its name in there)
  template <class F>
  void for_each_inner(PickleValue value, int depth, F&& f) {
    const bool dictionary = value.kind == Kind::dictionary;
    if (!dictionary && value.kind != Kind::list && value.kind != Kind::tuple) return;
    if (depth == kMaxDepth)
      fail(ErrorCode::format, path_, ": expected values nested at most ", kMaxDepth, " deep, got more");
    const PickleItems& items = heap_.items(value);
    for (std::size_t i = dictionary ? 1 : 0; i < items.size(); i += dictionary ? 2 : 1)
      f(items[i], [&] { return dictionary ? key_text(items[i - 1]) : std::optional(std::to_string(i)); });
  }

  /// `name` is absent below a key that cannot be part of one.
  void collect(PickleValue value, const std::optional<std::string>& name, int depth) {
    step();
    if (TorchObjects::is_tensor(value)) {
      if (!name) fail(ErrorCode::format, path_, ": expected tensors under names, got one under another kind of key");
      std::string full = depth == 0 ? only_ : *name;
      if (full.size() > kMaxName)
        fail(ErrorCode::format, path_, ": tensor ", in_quotes(full), ": expected a name of at most ", kMaxName, " bytes");
      if (full.size() > name_bytes_) fail(ErrorCode::format, path_, ": expected names in proportion to the file, got more");
      if (tensors.size() == most_tensors_)
        fail(ErrorCode::format, path_, ": expected at most ", most_tensors_, " tensors in a file of this size, got more");
      name_bytes_ -= full.size();
      tensors.push_back({std::move(full), value});
      return;
    }
    for_each_inner(value, depth, [&](PickleValue inner, auto&& key_of) {
      if (inner.kind != Kind::object && inner.kind != Kind::dictionary && inner.kind != Kind::list &&
          inner.kind != Kind::tuple)
        return step();
      std::optional<std::string> inner_name = key_of();
      if (!name || (inner_name && name->size() + inner_name->size() > 2 * kMaxName)) inner_name.reset();
      if (inner_name && depth > 0) inner_name = *name + "." + *inner_name;
      collect(inner, inner_name, depth + 1);
    });
  }

  static constexpr std::size_t kShown = 20;

  const std::string& path_;
  const PickleReader& reader_;
  const PickleHeap& heap_;
  std::string only_;
  std::uint64_t steps_, name_bytes_, most_tensors_;
};

}  // namespace detrack::detail
