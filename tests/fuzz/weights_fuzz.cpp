// Fuzzes the readers of PyTorch's and NumPy's files: seeded mutations (a program of its own), or as a libFuzzer target.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/io/open_weights.hpp"
#include "tests/fuzz/run_mutations.hpp"
#include "tests/support/craft_archive.hpp"
#include "tests/support/temporary_folder.hpp"

namespace detrack::test {

/// The largest piece of memory asked for at once.
inline std::size_t largest_allocation = 0;

/// True if `bytes` are read as weights, false if they are refused as they should be. Anything else is an exception other
/// than detrack::Error, or a sanitizer's report: elements are read by both ways of reading.
inline bool check_weights(std::span<const std::byte> bytes) {
  const auto require = [](bool holds, const char* what) {
    if (!holds) throw std::logic_error(what);
  };
  const std::clock_t begin = std::clock();  // of this process, however busy the machine is
  largest_allocation = 0;
  bool read = false;
  try {
    const WeightsFile file = parse_weights(bytes, "fuzz");
    require(largest_allocation <= 4 * bytes.size() + (1 << 18), "no allocation is larger than four times the file");
    read = true;
    std::size_t budget = 1 << 18;  // elements: repeated ones may be very many
    for (const TensorInfo& tensor : file.tensors()) {
      require(file.find(tensor.name) == &tensor, "every tensor is found by its name");
      require(!tensor.name.empty() && tensor.shape.size() <= 8, "names and ranks are bounded");
      for (const std::int64_t extent : tensor.shape) require(extent >= 0, "extents are not negative");
      require(tensor.bytes.empty() || (tensor.bytes.data() >= bytes.data() &&
                                       tensor.bytes.data() + tensor.bytes.size() <= bytes.data() + bytes.size()),
              "tensors lie in the file");
      const auto all = static_cast<std::size_t>(tensor.numel()), count = std::min(all, budget);
      budget -= count;
      std::vector<std::byte> stored(count * size_of(tensor.dtype));
      file.cursor(tensor, static_cast<std::int64_t>(all - count)).next_bytes(stored);  // the last ones
      if (!detail::is_floating(tensor.dtype)) continue;
      std::vector<double> values(count);
      TensorCursor cursor = file.cursor(tensor);
      cursor.next(std::span(values).first(count / 2));
      cursor.next(std::span(values).subspan(count / 2));
    }
  } catch (const Error& error) {
    require(!read, "what was opened can be read");
    require(error.code() == ErrorCode::format, "refusals are format errors");
    require(largest_allocation <= 4 * bytes.size() + (1 << 18), "no allocation is larger than four times the file");
    const std::string message = error.what();
    require(message.starts_with("fuzz: ") && message.size() < 800, "messages name the file and are short");
    for (const char c : message) require(c >= 0x20 && c < 0x7f, "messages are printable");
  }
  require(std::clock() - begin < CLOCKS_PER_SEC, "no file takes longer than a second");
  return read;
}

/// Those of PyTorch and NumPy, and crafted ones with what these do not write.
inline std::vector<Bytes> good_weights() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator("tests/data/weights"))
    if (const auto end = entry.path().extension(); end == ".pth" || end == ".npz" || end == ".npy")
      paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> files;
  for (const auto& path : paths) {
    Bytes bytes = read_file(path);
    if (bytes.size() < 16000) files.push_back(std::move(bytes));  // the smaller, the more often what matters is hit
  }
  files.push_back(craft_checkpoint(pickled_dictionary({{"a", pickled_tensor()}, {"b", "](" + pickled_tensor() + "e"}})));
  files.push_back(
      craft_stream({.code = pickled_tensor({.count = 4, .view = pickled_tuple({pickled("v"), pickled(1), pickled(3)})}),
                    .storages = {{"0", little(4, 8) + std::string(16, '\1')}}}));
  return files;
}

/// Damages bytes, with an eye to pickles: half of the time what is put in is an opcode with its argument.
class WeightsMutator {
 public:
  WeightsMutator(std::uint64_t seed, std::uint64_t index) : random_(seed, index) {}

  Bytes operator()(const Bytes& good) {
    // Inside an archive: one member is damaged and the archive is put together anew, so that its sizes are right.
    if (detail::is_zip(detail::as_text(good)) && below(4) > 0) return in_archive(good);
    return damaged(good);
  }

 private:
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_.below(std::max<std::size_t>(n, 1))); }

  Bytes in_archive(const Bytes& good) {
    static const std::string path = "good";
    auto members = detail::ZipReader(path, good).read();
    std::vector<CraftedMember> crafted;
    // The pickle and headers matter most: the member is chosen among them every other time.
    std::size_t chosen = below(members.size());
    for (std::size_t i = 0; i < members.size(); ++i)
      if (members[i].name.ends_with("data.pkl") && below(4) > 0) chosen = i;
    for (std::size_t i = 0; i < members.size(); ++i) {
      Bytes data(members[i].bytes.begin(), members[i].bytes.end());
      const bool damage = i == chosen;
      if (damage) data = damaged(std::move(data));
      CraftedMember member{.name = members[i].name,
                           .data = std::string(detail::as_text(data)),
                           .method = static_cast<std::uint16_t>(members[i].deflated ? 8 : 0),
                           .crc = members[i].crc};
      if (members[i].deflated) member.size = static_cast<std::int64_t>(members[i].size);
      crafted.push_back(std::move(member));
    }
    return to_bytes(craft_zip(crafted, {.zip64 = below(2) == 0}));
  }

  Bytes damaged(Bytes file) {
    for (std::size_t i = 0, count = 1 + below(2) * below(4); i < count && !file.empty(); ++i) damage(file);
    return file;
  }

  void damage(Bytes& file) {
    const auto place = [&] { return below(below(2) ? std::min<std::size_t>(file.size(), 300) : file.size()); };
    const std::size_t at = place(), length = std::min(1 + below(below(2) ? 4 : 64), file.size() - at);
    const auto from = file.begin() + static_cast<std::ptrdiff_t>(at), to = from + static_cast<std::ptrdiff_t>(length);
    switch (below(10)) {
      case 0: file[at] ^= static_cast<std::byte>(1u << below(8)); break;
      case 1: file[at] = static_cast<std::byte>(below(256)); break;
      case 2: {  // a number at the edge of its range
        static constexpr std::uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
        const auto edge = static_cast<std::byte>(edges[below(std::size(edges))]);
        std::fill(from,
                  from + static_cast<std::ptrdiff_t>(std::min<std::size_t>(std::size_t{1} << below(4), file.size() - at)),
                  edge);
        break;
      }
      case 3: file.resize(at); break;
      case 4: file.erase(from, to); break;
      case 5: {  // a part of it again: nested, looped, doubled
        const Bytes part(from, to);
        const std::size_t times = below(8) ? 1 : 1 + below(200);
        const std::size_t where = place();
        for (std::size_t i = 0; i < times && file.size() < 60000; ++i)
          file.insert(file.begin() + static_cast<std::ptrdiff_t>(where), part.begin(), part.end());
        break;
      }
      default: {
        const Bytes code = to_bytes(opcode());
        const std::size_t times = below(8) ? 1 : 1 + below(500);
        for (std::size_t i = 0; i < times; ++i)
          file.insert(file.begin() + static_cast<std::ptrdiff_t>(at), code.begin(), code.end());
      }
    }
  }

  std::string opcode() {
    static const std::vector<std::string> codes{"(",
                                                "t",
                                                "0",
                                                "1",
                                                "2",
                                                "N",
                                                "\x88",
                                                "\x89",
                                                "K\x01",
                                                "M\xff\xff",
                                                "J\xff\xff\xff\xff",
                                                "]",
                                                ")",
                                                "}",
                                                "a",
                                                "e",
                                                "s",
                                                "u",
                                                "l",
                                                "d",
                                                "\x85",
                                                "\x86",
                                                "\x87",
                                                "R",
                                                "b",
                                                "Q",
                                                "q\x01",
                                                "h\x01",
                                                "h\x02",
                                                "\x94",
                                                "\x8f",
                                                "\x90",
                                                "\x91",
                                                "\x81",
                                                "\x93",
                                                ".",
                                                "\x8a\x01\x80",
                                                "X\x01" + std::string(3, '\0') + "x",
                                                "cos\nsystem\n",
                                                "ctorch\nFloatStorage\n",
                                                "ccollections\nOrderedDict\n",
                                                "ctorch._utils\n_rebuild_tensor_v2\n",
                                                "]q\x01h\x01"
                                                "a",
                                                "r\xff\xff\xff\xff"};
    return below(8) == 0 ? pickled_tensor({.shape = {2, static_cast<std::int64_t>(below(4))},
                                           .strides = {static_cast<std::int64_t>(below(3)), 1}})
                         : codes[below(codes.size())];
  }

  Philox random_;
};

}  // namespace detrack::test

#ifdef DETRACK_LIBFUZZER

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  detrack::test::check_weights(std::as_bytes(std::span(data, size)));  // an exception that escapes is a finding
  return 0;
}

#else

// Replaced to see how much is asked for at once; the sanitizers still watch what malloc gives. Not inline, or the compiler
// takes free for the wrong partner of new.
[[gnu::noinline]] void* operator new(std::size_t size) {
  detrack::test::largest_allocation = std::max(detrack::test::largest_allocation, size);
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

int main(int argc, char** argv) {
  using namespace detrack::test;
  const auto mutate = [](const Bytes& good, std::uint64_t seed, std::uint64_t index) {
    return WeightsMutator(seed, index)(good);
  };
  return run_mutations(argc, argv, good_weights(), mutate, [](const Bytes& bytes) { return check_weights(bytes); });
}

#endif
