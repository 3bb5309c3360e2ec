// FFmpeg's libraries for the rest of video/: handles that free themselves, its reasons in words, its log kept silent.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/error.h>
#include <libavutil/log.h>
#include <libswscale/swscale.h>
}

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include "detrack/core/error.hpp"

namespace detrack::detail {

struct AvFree {
  void operator()(AVFormatContext* input) const { avformat_close_input(&input); }
  void operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(SwsContext* scaler) const { sws_freeContext(scaler); }
};

/// Owns one of FFmpeg's objects. An AVFormatContext is one that was opened for reading.
template <class T>
using Av = std::unique_ptr<T, AvFree>;

/// What FFmpeg has just allocated, owned. Errors: std::bad_alloc.
template <class T>
Av<T> own(T* allocated) {
  if (!allocated) throw std::bad_alloc();
  return Av<T>(allocated);
}

/// A frame without pixels. It is shared because whoever holds an image of it holds it.
inline std::shared_ptr<AVFrame> make_frame() {
  AVFrame* frame = av_frame_alloc();
  if (!frame) throw std::bad_alloc();
  return {frame, [](AVFrame* held) { av_frame_free(&held); }};
}

/// A frame with memory of FFmpeg's own, padded as its vector code wants it. Errors: std::bad_alloc.
inline std::shared_ptr<AVFrame> make_frame(int format, int width, int height) {
  auto frame = make_frame();
  frame->format = format;
  frame->width = width;
  frame->height = height;
  if (av_frame_get_buffer(frame.get(), 0) < 0) throw std::bad_alloc();
  return frame;
}

/// Options by name, as FFmpeg's open functions take them.
class AvOptions {
 public:
  AvOptions() = default;
  AvOptions(const AvOptions&) = delete;
  AvOptions& operator=(const AvOptions&) = delete;
  ~AvOptions() { av_dict_free(&options_); }
  void set(const char* name, const std::string& value) {
    if (av_dict_set(&options_, name, value.c_str(), 0) < 0) throw std::bad_alloc();
  }
  void set(const char* name, std::int64_t value) { set(name, std::to_string(value)); }
  AVDictionary** get() { return &options_; }

 private:
  AVDictionary* options_ = nullptr;
};

/// What FFmpeg says about a return code of its own, or the system about an errno.
inline std::string reason(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return text.data();
}

/// Whether a return code is the system's (no such file, no rights, no space). FFmpeg's own are about contents, and so are
/// those of the system's that its parsers borrow.
inline bool from_system(int code) {
  for (const int borrowed : {EINVAL, ENOMEM, ENOSYS, EPERM, ERANGE, EDOM})
    if (code == AVERROR(borrowed)) return false;
  return code < 0 && code > -65536;
}

/// FFmpeg writes to stderr unless told otherwise, and this library prints nothing. Its log level is one for the whole
/// program, so it is set at most once, to quiet, and only if the program has left it at FFmpeg's default (AV_LOG_INFO).
/// A program that wants the log sets any other level before its first reader or writer, or any level after it.
inline void silence_log() {
  static const bool done = [] {
    if (av_log_get_level() == AV_LOG_INFO) av_log_set_level(AV_LOG_QUIET);
    return true;
  }();
  static_cast<void>(done);
}

/// Threads for a decoder or encoder: `wanted`, or for 0 a quarter of the cores, between 1 and 4. One core decodes full HD
/// several times faster than a tracker on the others takes frames, and every thread delays the stream by a frame.
/// Errors: argument.
inline int codec_threads(int wanted) {
  if (wanted < 0 || wanted > 64) fail(ErrorCode::argument, "video: threads: expected a number in [0, 64], got ", wanted);
  if (wanted > 0) return wanted;
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()) / 4, 1, 4);
}

/// "file:" keeps a colon in a file's name from being read as a protocol.
inline std::string file_url(const std::string& path) {
  return "file:" + path;
}

}  // namespace detrack::detail
