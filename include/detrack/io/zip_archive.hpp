// The members of a zip archive, from bytes that nobody vouches for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/io/little_endian.hpp"
#include "detrack/io/quoted.hpp"
#include "detrack/io/weights_file.hpp"

namespace detrack::detail {

struct ZipMember {
  std::string name;
  std::span<const std::byte> bytes;  ///< as they are in the archive
  std::uint64_t size = 0;            ///< once unpacked
  std::uint32_t crc = 0;             ///< of the unpacked bytes
  bool deflated = false;
};

/// Reads the table of contents of an archive (PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3, zip64 included) and
/// checks it against the archive. Only what NumPy and PyTorch write is accepted: members stored or deflated, on one disk,
/// not encrypted, without bytes in front of the archive; no two members share a byte or a name, none has a name that leads
/// out of a folder, and together they unpack to no more than most_unpacked().
class ZipReader {
 public:
  ZipReader(const std::string& path, std::span<const std::byte> file) : path_(path), file_(file) {}

  /// Ordered by name. Errors: format.
  std::vector<ZipMember> read() {
    find_directory();
    std::vector<Place> places;
    std::vector<ZipMember> members;
    std::uint64_t total = 0;
    std::size_t at = directory_begin_;
    for (std::uint64_t i = 0; i < count_; ++i) {
      members.push_back(read_entry(at, places.emplace_back()));
      const std::uint64_t size = members.back().size, most = most_unpacked(file_.size());
      if (size > most - total)
        fail_at(members.back().name, "expected an archive that unpacks to at most ", most, " bytes, got more (a zip bomb?)");
      total += size;
    }
    if (at != directory_end_)
      fail(ErrorCode::format, path_, ": byte ", at, ": expected the end of the zip archive's directory, got something else");
    std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < places.size(); ++i)
      if (places[i].begin < places[i - 1].end)
        fail_at(places[i].name, "expected members apart from each other, got one that overlaps ",
                in_quotes(places[i - 1].name));
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (std::size_t i = 1; i < members.size(); ++i)
      if (members[i].name == members[i - 1].name) fail_at(members[i].name, "expected it once, got it again");
    return members;
  }

 private:
  static constexpr std::size_t kEndBytes = 22, kLocatorBytes = 20, kEnd64Bytes = 56, kEntryBytes = 46, kLocalBytes = 30;

  /// Where a member lies in the file, its local header included.
  struct Place {
    std::uint64_t begin = 0, end = 0;
    std::string_view name;
  };

  template <class... Parts>
  [[noreturn]] void fail_at(std::string_view member, const Parts&... parts) const {
    fail(ErrorCode::format, path_, ": member ", in_quotes(member), ": ", parts...);
  }
  [[noreturn]] void fail_end(const char* got) const {
    fail(ErrorCode::format, path_, ": expected a zip archive with its directory at the end, got ", got);
  }
  template <class N>
  std::uint64_t number(std::size_t at) const {
    return little_endian<N>(file_, at);
  }
  bool has(std::size_t at, std::string_view signature) const {
    return at <= file_.size() && as_text(file_).substr(at, signature.size()) == signature;
  }

  /// The record at the end of the file says where the directory is; a comment may follow it.
  void find_directory() {
    if (file_.size() < kEndBytes) fail_end("a shorter file");
    const std::size_t last = file_.size() - kEndBytes;
    std::size_t end = last + 1;
    for (std::size_t comment = 0; comment <= std::min<std::size_t>(last, 0xffff) && end > last; ++comment)
      if (has(last - comment, "PK\x05\x06") && number<std::uint16_t>(last - comment + 20) == comment) end = last - comment;
    if (end > last) fail_end("none (a file cut short?)");
    if (number<std::uint16_t>(end + 4) != 0 || number<std::uint16_t>(end + 6) != 0) fail_end("one of several disks");
    count_ = number<std::uint16_t>(end + 10);
    std::uint64_t size = number<std::uint32_t>(end + 12), begin = number<std::uint32_t>(end + 16);
    directory_end_ = end;
    if (end >= kLocatorBytes + kEnd64Bytes && has(end - kLocatorBytes, "PK\x06\x07")) {
      // zip64: a second such record, with wider numbers, right before its locator.
      directory_end_ = end - kLocatorBytes - kEnd64Bytes;
      if (number<std::uint64_t>(end - kLocatorBytes + 8) != directory_end_ || !has(directory_end_, "PK\x06\x06"))
        fail_end("a zip64 record in another place");
      count_ = number<std::uint64_t>(directory_end_ + 32);
      size = number<std::uint64_t>(directory_end_ + 40);
      begin = number<std::uint64_t>(directory_end_ + 48);
    }
    if (begin > directory_end_ || size != directory_end_ - begin) fail_end("a directory of another size or place");
    if (count_ > size / kEntryBytes) fail_end("more members than there is room for");
    directory_begin_ = static_cast<std::size_t>(begin);
  }

  /// Where a 32-bit number of an entry is all ones, the true one is in its extra field for zip64, in this order.
  void widen(std::string_view name, std::size_t extra, std::size_t extra_end,
             std::initializer_list<std::uint64_t*> numbers) const {
    if (std::none_of(numbers.begin(), numbers.end(), [](const auto* n) { return *n == 0xffffffffu; })) return;
    while (extra_end - extra >= 4) {
      const auto id = number<std::uint16_t>(extra), size = number<std::uint16_t>(extra + 2);
      extra += 4;
      if (size > extra_end - extra) break;
      if (id == 1) {
        std::size_t at = extra;
        for (std::uint64_t* n : numbers) {
          if (*n != 0xffffffffu) continue;
          if (extra + size - at < 8) fail_at(name, "expected 64-bit sizes, got a zip64 field without them");
          *n = number<std::uint64_t>(at);
          at += 8;
        }
        return;
      }
      extra += size;
    }
    fail_at(name, "expected 64-bit sizes, got no zip64 field");
  }

  void check_name(std::string_view name) const {
    bool bad = name.empty() || name.front() == '/' || name.find('\\') != name.npos || name.find(':') != name.npos;
    for (const char c : name) bad = bad || static_cast<unsigned char>(c) < 0x20;
    for (std::size_t begin = 0; begin <= name.size();) {
      const std::size_t end = std::min(name.find('/', begin), name.size());
      bad = bad || name.substr(begin, end - begin) == "..";
      begin = end + 1;
    }
    if (bad) fail_at(name, "expected a relative path within the archive, got one that leads elsewhere");
  }

  /// The entry of the directory at `at`, which moves behind it.
  ZipMember read_entry(std::size_t& at, Place& place) const {
    if (directory_end_ - at < kEntryBytes || !has(at, "PK\x01\x02"))
      fail(ErrorCode::format, path_, ": byte ", at,
           ": expected an entry of the zip archive's directory, got something else");
    const auto crc = little_endian<std::uint32_t>(file_, at + 16);
    const auto flags = number<std::uint16_t>(at + 8), method = number<std::uint16_t>(at + 10);
    std::uint64_t packed = number<std::uint32_t>(at + 20), size = number<std::uint32_t>(at + 24);
    std::uint64_t local = number<std::uint32_t>(at + 42);
    const auto name_size = number<std::uint16_t>(at + 28), extra_size = number<std::uint16_t>(at + 30),
               comment_size = number<std::uint16_t>(at + 32);
    if (directory_end_ - at - kEntryBytes < name_size + extra_size + comment_size)
      fail(ErrorCode::format, path_, ": byte ", at,
           ": expected an entry within the zip archive's directory, got a longer one");
    const std::string_view name = as_text(file_).substr(at + kEntryBytes, static_cast<std::size_t>(name_size));
    const std::size_t extra = at + kEntryBytes + name.size();
    widen(name, extra, extra + static_cast<std::size_t>(extra_size), {&size, &packed, &local});
    at = extra + static_cast<std::size_t>(extra_size + comment_size);

    check_name(name);
    if (flags & 1) fail_at(name, "expected a member that is not encrypted, got one that is");
    if (method != 0 && method != 8) fail_at(name, "expected a member stored or deflated, got method ", method);
    const bool deflated = method == 8;
    if (!deflated && packed != size) fail_at(name, "expected ", size, " bytes, got ", packed, " stored ones");
    // What follows is checked against the local header, which archives can contradict.
    if (local > directory_begin_ || directory_begin_ - local < kLocalBytes ||
        !has(static_cast<std::size_t>(local), "PK\x03\x04"))
      fail_at(name, "expected a local header at byte ", local, ", got none");
    const auto header = static_cast<std::size_t>(local);
    const auto local_name_size = number<std::uint16_t>(header + 26), local_extra_size = number<std::uint16_t>(header + 28);
    const std::size_t data = header + kLocalBytes + static_cast<std::size_t>(local_name_size + local_extra_size);
    if (data > directory_begin_ || packed > directory_begin_ - data)
      fail_at(name, "expected ", packed, " bytes before the directory at byte ", directory_begin_, ", got fewer");
    if (as_text(file_).substr(header + kLocalBytes, static_cast<std::size_t>(local_name_size)) != name ||
        number<std::uint16_t>(header + 8) != method)
      fail_at(name, "expected a local header with the same name and method, got others");
    place = {local, data + packed, name};
    return {std::string(name), file_.subspan(data, static_cast<std::size_t>(packed)), size, crc, deflated};
  }

  const std::string& path_;
  std::span<const std::byte> file_;
  std::uint64_t count_ = 0;
  std::size_t directory_begin_ = 0, directory_end_ = 0;
};

/// The member of that name, or nullptr. `members` are ordered by name.
inline const ZipMember* find_member(const std::vector<ZipMember>& members, std::string_view name) {
  const auto at = std::lower_bound(members.begin(), members.end(), name,
                                   [](const ZipMember& m, std::string_view n) { return m.name < n; });
  return at != members.end() && at->name == name ? &*at : nullptr;
}

}  // namespace detrack::detail
