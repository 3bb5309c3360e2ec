// Tensors and storages as PyTorch pickles them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/dtype.hpp"
#include "detrack/io/pickle_reader.hpp"
#include "detrack/io/tensor_info.hpp"

namespace detrack::detail {

/// Elements in memory that tensors share. Its bytes are outside of the pickle, under its key.
struct TorchStorage {
  std::string_view key;        ///< of the pickle
  std::optional<DType> dtype;  ///< none: bytes, whose type the tensors say
  std::uint64_t count = 0;     ///< elements (bytes where there is no type)
};

/// A tensor is a window onto a storage.
struct TorchTensor {
  std::size_t storage = 0;
  DType dtype = DType::f32;
  std::uint64_t offset = 0;  ///< elements
  std::vector<std::int64_t> shape, strides;
};

/// What calling a global makes, or what else it is.
enum class TorchRole { dictionary, size, skipped, rebuild, rebuild_typed, parameter, subclass, storage, dtype, type };
struct TorchGlobal {
  std::string_view module, name;  ///< module "python": built in, under its names in Python 2 and 3
  TorchRole role = TorchRole::skipped;
  std::optional<DType> dtype = {};
};
/// The globals that checkpoints are made of. Those that carry a program's settings beside its tensors (argparse's Namespace,
/// NumPy's numbers, paths) are known too, to be skipped.
inline constexpr std::array kTorchGlobals{
    TorchGlobal{"collections", "OrderedDict", TorchRole::dictionary},
    TorchGlobal{"collections", "defaultdict", TorchRole::dictionary},
    TorchGlobal{"collections", "Counter", TorchRole::dictionary},
    TorchGlobal{"torch._utils", "_rebuild_tensor", TorchRole::rebuild},
    TorchGlobal{"torch._utils", "_rebuild_tensor_v2", TorchRole::rebuild},
    TorchGlobal{"torch._utils", "_rebuild_tensor_v3", TorchRole::rebuild_typed},
    TorchGlobal{"torch._utils", "_rebuild_parameter", TorchRole::parameter},
    TorchGlobal{"torch._utils", "_rebuild_parameter_with_state", TorchRole::parameter},
    TorchGlobal{"torch._tensor", "_rebuild_from_type_v2", TorchRole::subclass},
    TorchGlobal{"torch", "Tensor", TorchRole::type},
    TorchGlobal{"torch.nn.parameter", "Parameter", TorchRole::type},
    TorchGlobal{"torch", "DoubleStorage", TorchRole::storage, DType::f64},
    TorchGlobal{"torch", "FloatStorage", TorchRole::storage, DType::f32},
    TorchGlobal{"torch", "HalfStorage", TorchRole::storage, DType::f16},
    TorchGlobal{"torch", "BFloat16Storage", TorchRole::storage, DType::bf16},
    TorchGlobal{"torch", "LongStorage", TorchRole::storage, DType::i64},
    TorchGlobal{"torch", "IntStorage", TorchRole::storage, DType::i32},
    TorchGlobal{"torch", "ShortStorage", TorchRole::storage, DType::i16},
    TorchGlobal{"torch", "CharStorage", TorchRole::storage, DType::i8},
    TorchGlobal{"torch", "ByteStorage", TorchRole::storage, DType::u8},
    TorchGlobal{"torch", "BoolStorage", TorchRole::storage, DType::boolean},
    TorchGlobal{"torch.storage", "UntypedStorage", TorchRole::storage},
    TorchGlobal{"torch", "UntypedStorage", TorchRole::storage},
    TorchGlobal{"torch", "float64", TorchRole::dtype, DType::f64},
    TorchGlobal{"torch", "float32", TorchRole::dtype, DType::f32},
    TorchGlobal{"torch", "float16", TorchRole::dtype, DType::f16},
    TorchGlobal{"torch", "bfloat16", TorchRole::dtype, DType::bf16},
    TorchGlobal{"torch", "int64", TorchRole::dtype, DType::i64},
    TorchGlobal{"torch", "int32", TorchRole::dtype, DType::i32},
    TorchGlobal{"torch", "int16", TorchRole::dtype, DType::i16},
    TorchGlobal{"torch", "int8", TorchRole::dtype, DType::i8},
    TorchGlobal{"torch", "uint64", TorchRole::dtype, DType::u64},
    TorchGlobal{"torch", "uint32", TorchRole::dtype, DType::u32},
    TorchGlobal{"torch", "uint16", TorchRole::dtype, DType::u16},
    TorchGlobal{"torch", "uint8", TorchRole::dtype, DType::u8},
    TorchGlobal{"torch", "bool", TorchRole::dtype, DType::boolean},
    TorchGlobal{"torch", "Size", TorchRole::size},
    TorchGlobal{"torch", "device"},
    TorchGlobal{"argparse", "Namespace"},
    TorchGlobal{"numpy", "dtype"},
    TorchGlobal{"numpy", "ndarray"},
    TorchGlobal{"numpy.core.multiarray", "scalar"},
    TorchGlobal{"numpy.core.multiarray", "_reconstruct"},
    TorchGlobal{"numpy._core.multiarray", "scalar"},
    TorchGlobal{"numpy._core.multiarray", "_reconstruct"},
    TorchGlobal{"_codecs", "encode"},
    TorchGlobal{"pathlib", "Path"},
    TorchGlobal{"pathlib", "PosixPath"},
    TorchGlobal{"pathlib", "WindowsPath"},
    TorchGlobal{"pathlib", "PurePosixPath"},
    TorchGlobal{"python", "set"},
    TorchGlobal{"python", "frozenset"},
    TorchGlobal{"python", "list"},
    TorchGlobal{"python", "dict"},
    TorchGlobal{"python", "int"},
    TorchGlobal{"python", "float"},
    TorchGlobal{"python", "bytearray"},
    TorchGlobal{"python", "complex"},
};
inline bool is_torch_module(std::string_view known, std::string_view module) {
  return known == module || (known == "python" && (module == "builtins" || module == "__builtin__"));
}

/// Makes tensors and storages of the calls in a checkpoint.
class TorchObjects : public PickleObjects {
 public:
  using Kind = PickleValue::Kind;

  std::deque<TorchStorage> storages;
  std::deque<TorchTensor> tensors;

  std::optional<PickleValue> global(std::string_view module, std::string_view name) override {
    for (std::size_t i = 0; i < kTorchGlobals.size(); ++i)
      if (kTorchGlobals[i].name == name && is_torch_module(kTorchGlobals[i].module, module))
        return PickleValue{Kind::global, static_cast<std::uint32_t>(i)};
    return {};
  }

  PickleValue call(PickleReader& reader, PickleValue global, const PickleItems& arguments) override {
    switch (kTorchGlobals[global.at].role) {
      case TorchRole::dictionary: return make_dictionary(reader, arguments);
      case TorchRole::size:
        if (arguments.size() == 1 && arguments[0].kind == Kind::tuple) return arguments[0];
        reader.fail_here("torch.Size: expected a tuple of extents, got something else");
      case TorchRole::skipped: return {Kind::opaque, 0};
      case TorchRole::rebuild: return rebuild(reader, arguments, false);
      case TorchRole::rebuild_typed: return rebuild(reader, arguments, true);
      case TorchRole::parameter:
        if (!arguments.empty() && is_tensor(arguments[0])) return arguments[0];
        reader.fail_here("a parameter: expected a tensor, got something else");
      case TorchRole::subclass: return rebuild_subclass(reader, arguments);
      case TorchRole::storage:
      case TorchRole::dtype:
      case TorchRole::type: break;
    }
    reader.fail_here("expected a function to call, got ", kTorchGlobals[global.at].module, ".",
                     kTorchGlobals[global.at].name);
  }

  /// ("storage", type, key, device, count), and in streams also None or what part of another storage it is: (key, first,
  /// count).
  PickleValue persistent(PickleReader& reader, PickleValue id) override {
    const PickleItems& parts = reader.tuple(id, "an identifier of a storage");
    if (parts.empty() || reader.text(parts[0], "an identifier's kind") != "storage")
      reader.fail_here("expected the identifier of a storage, got ",
                       parts.empty() ? "nothing" : in_quotes(reader.text(parts[0], "an identifier's kind")),
                       " (a whole module, which only its own code could read: save model.state_dict() instead)");
    if (parts.size() != 5 && parts.size() != 6) reader.fail_here("a storage: expected 5 or 6 parts, got ", parts.size());
    if (parts[1].kind != Kind::global || kTorchGlobals[parts[1].at].role != TorchRole::storage)
      reader.fail_here("a storage: expected a type of storages, got ", PickleReader::name(parts[1]));
    TorchStorage storage{reader.text(parts[2], "a storage's key"), kTorchGlobals[parts[1].at].dtype,
                         count(reader, parts[4], "a storage's size")};
    PickleValue value = add_root(reader, storage);
    if (parts.size() == 6 && parts[5].kind != Kind::none) value = add_part(reader, storage, parts[5]);
    return value;
  }

  static bool is_tensor(PickleValue value) { return value.kind == Kind::object && value.at % 2 == 1; }
  const TorchTensor& tensor(PickleValue value) const { return tensors[value.at / 2]; }

  /// First element of a storage that is a part of another one.
  struct Part {
    std::size_t root = 0;
    std::uint64_t first = 0;
  };
  /// By number of the storage, for those that are parts.
  const std::map<std::size_t, Part>& parts() const { return parts_; }

 private:
  static std::uint64_t count(const PickleReader& reader, PickleValue value, const char* what) {
    const std::int64_t number = reader.integer(value, what);
    if (number < 0) reader.fail_here(what, ": expected a number from 0 on, got ", number);
    return static_cast<std::uint64_t>(number);
  }
  /// Objects are storages and tensors in one numbering: even and odd.
  static PickleValue object(std::size_t number, bool tensor) {
    return {Kind::object, static_cast<std::uint32_t>(2 * number + (tensor ? 1 : 0))};
  }

  /// A mapping of nothing, of another dictionary, or (as Python 2 pickles OrderedDict) of a list of pairs.
  PickleValue make_dictionary(PickleReader& reader, const PickleItems& arguments) {
    if (arguments.empty() || arguments[0].kind == Kind::global || arguments[0].kind == Kind::none)
      return reader.make_container(Kind::dictionary, {});
    if (arguments[0].kind == Kind::dictionary) return arguments[0];
    if (arguments[0].kind != Kind::list)
      reader.fail_here("a dictionary: expected pairs, got ", PickleReader::name(arguments[0]));
    const PickleValue dictionary = reader.make_container(Kind::dictionary, {});
    for (const PickleValue pair : PickleItems(reader.heap().items(arguments[0]))) {
      if ((pair.kind != Kind::tuple && pair.kind != Kind::list) || reader.heap().items(pair).size() != 2)
        reader.fail_here("a dictionary: expected pairs, got ", PickleReader::name(pair));
      const PickleItems& both = reader.heap().items(pair);
      reader.extend(dictionary, both);
    }
    return dictionary;
  }

  /// The storage of a key, which must be the same every time.
  PickleValue add_root(PickleReader& reader, const TorchStorage& storage) {
    const auto [at, is_new] = roots_.try_emplace(storage.key, storages.size());
    if (is_new) {
      reader.spend(sizeof(TorchStorage) + kMapNode);
      storages.push_back(storage);
    } else if (storages[at->second].dtype != storage.dtype || storages[at->second].count != storage.count) {
      reader.fail_here("storage ", in_quotes(storage.key), ": expected the same type and size each time, got others");
    }
    return object(at->second, false);
  }
  PickleValue add_part(PickleReader& reader, const TorchStorage& root, PickleValue value) {
    const PickleItems& view = reader.tuple(value, "a part of a storage");
    if (view.size() != 3) reader.fail_here("a part of a storage: expected 3 numbers, got ", view.size());
    const std::uint64_t first = count(reader, view[1], "a part's begin"), size = count(reader, view[2], "a part's size");
    if (first > root.count || size > root.count - first)
      reader.fail_here("a part of a storage: expected elements within [0, ", root.count, "), got ", size, " from ", first,
                       " on");
    reader.spend(sizeof(TorchStorage) + kMapNode);
    storages.push_back({root.key, root.dtype, size});
    parts_[storages.size() - 1] = {roots_.at(root.key), first};
    return object(storages.size() - 1, false);
  }

  /// (storage, first element, extents, strides, requires_grad, hooks, metadata), all but four left out by older versions;
  /// with a type of its own before the metadata where the storage is bytes.
  PickleValue rebuild(PickleReader& reader, const PickleItems& arguments, bool typed) {
    const std::size_t metadata = typed ? 7 : 6;
    if (arguments.size() < (typed ? 7u : 4u) || arguments.size() > metadata + 1)
      reader.fail_here("a tensor: expected 4 to ", metadata + 1, " arguments, got ", arguments.size());
    if (arguments[0].kind != Kind::object || is_tensor(arguments[0]))
      reader.fail_here("a tensor: expected a storage, got ", PickleReader::name(arguments[0]));
    const TorchStorage& storage = storages[arguments[0].at / 2];
    TorchTensor tensor;
    tensor.storage = arguments[0].at / 2;
    if (typed) {
      if (arguments[6].kind != Kind::global || kTorchGlobals[arguments[6].at].role != TorchRole::dtype)
        reader.fail_here("a tensor: expected its type, got ", PickleReader::name(arguments[6]));
      tensor.dtype = *kTorchGlobals[arguments[6].at].dtype;
    } else if (!storage.dtype) {
      reader.fail_here("a tensor: expected a storage of a type, got bytes");
    } else {
      tensor.dtype = *storage.dtype;
    }
    // Complex numbers' conjugation and the like are noted here: elements that are not what they seem.
    if (arguments.size() > metadata && !no_metadata(reader, arguments[metadata]))
      reader.fail_here("a tensor: expected plain elements, got some with metadata");
    tensor.offset = count(reader, arguments[1], "a tensor's first element");
    tensor.shape = extents(reader, arguments[2], "a tensor's shape");
    tensor.strides = extents(reader, arguments[3], "a tensor's strides");
    check_window(reader, tensor, storage.count / (storage.dtype ? 1 : size_of(tensor.dtype)));
    reader.spend(sizeof tensor + 2 * tensor.shape.size() * sizeof(std::int64_t));
    tensors.push_back(std::move(tensor));
    return object(tensors.size() - 1, true);
  }

  static bool no_metadata(PickleReader& reader, PickleValue value) {
    return value.kind == Kind::none || (value.kind == Kind::dictionary && reader.heap().items(value).empty());
  }

  static std::vector<std::int64_t> extents(PickleReader& reader, PickleValue value, const char* what) {
    const PickleItems& items = reader.tuple(value, what);
    if (items.size() > kMaxFileRank)
      reader.fail_here(what, ": expected a rank of at most ", kMaxFileRank, ", got ", items.size());
    std::vector<std::int64_t> numbers;
    for (const PickleValue item : items) numbers.push_back(static_cast<std::int64_t>(count(reader, item, what)));
    return numbers;
  }

  static void check_window(const PickleReader& reader, const TorchTensor& tensor, std::uint64_t available) {
    if (tensor.shape.size() != tensor.strides.size())
      reader.fail_here("a tensor: expected as many strides as extents, got ", to_string(tensor.strides), " for ",
                       to_string(tensor.shape));
    const auto size = size_in_bytes(tensor.dtype, tensor.shape);
    if (!size) reader.fail_here("a tensor: expected a size in bytes below 2^63, got ", to_string(tensor.shape));
    if (*size == 0) return;
    std::uint64_t last = tensor.offset;
    bool fits = last < available;
    for (std::size_t axis = 0; fits && axis < tensor.shape.size(); ++axis) {
      const auto steps = static_cast<std::uint64_t>(tensor.shape[axis] - 1),
                 stride = static_cast<std::uint64_t>(tensor.strides[axis]);
      if (steps == 0 || stride == 0) continue;
      fits = steps <= (available - 1 - last) / stride;
      if (fits) last += steps * stride;
    }
    if (!fits)
      reader.fail_here("a tensor: expected elements within the ", available, " of its storage, got ",
                       to_string(tensor.shape), " with strides ", to_string(tensor.strides), " from element ", tensor.offset,
                       " on");
  }

  /// (function, type, its arguments, attributes): parameters and tensors that something was attached to.
  PickleValue rebuild_subclass(PickleReader& reader, const PickleItems& arguments) {
    if (arguments.size() != 4 || arguments[0].kind != Kind::global || arguments[1].kind != Kind::global ||
        kTorchGlobals[arguments[1].at].role != TorchRole::type || arguments[2].kind != Kind::tuple)
      reader.fail_here("a tensor: expected one of a known type, got another");
    const TorchRole role = kTorchGlobals[arguments[0].at].role;
    if (role != TorchRole::rebuild && role != TorchRole::rebuild_typed && role != TorchRole::parameter)
      reader.fail_here("a tensor: expected a function that makes tensors, got another");
    return call(reader, arguments[0], reader.heap().items(arguments[2]));
  }

  static constexpr std::size_t kMapNode = 64;  // what a map takes for an entry, roughly

  std::map<std::string_view, std::size_t> roots_;  ///< number of the storage of a key
  std::map<std::size_t, Part> parts_;
};

}  // namespace detrack::detail
