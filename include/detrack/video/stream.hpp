// The one video stream of an opened file or device, decoded: what VideoReader and Camera share.
#pragma once

#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/image/frame_source.hpp"
#include "detrack/video/ffmpeg.hpp"
#include "detrack/video/frame_image.hpp"

namespace detrack::detail {

/// Opens `url` into `input` and returns FFmpeg's code. Errors: std::bad_alloc.
inline int open_input(Av<AVFormatContext>& input, const std::string& url, const AVInputFormat* format, AvOptions& options,
                      int flags = 0) {
  AVFormatContext* context = avformat_alloc_context();
  if (!context) throw std::bad_alloc();
  context->flags |= flags;
  const int code = avformat_open_input(&context, url.c_str(), format, options.get());  // frees it on failure
  input.reset(context);
  return code;
}

struct StreamOptions {
  int threads = 0;
  std::int64_t max_pixels = 0;
  /// A device: frames that are waiting while a newer one is there, or that do not decode, are left out; a stream without
  /// a frame for `patience` is an error.
  bool live = false;
  std::chrono::milliseconds patience{5000};
};

/// Delivers every frame of the best video stream in the order in which they are shown, numbered from 0.
class VideoStream {
 public:
  /// Errors: format (no video stream, no decoder for it, too large), argument (options).
  VideoStream(Av<AVFormatContext> input, std::string name, const StreamOptions& options)
      : name_(std::move(name)), options_(options), input_(std::move(input)) {
    if (options_.max_pixels < 1 || options_.max_pixels > INT_MAX)
      fail(ErrorCode::argument, name_, ": max_pixels: expected a number in [1, 2^31), got ", options_.max_pixels);
    // The container's own index, before probing adds entries for packets it has come across.
    std::vector<int> index_entries;
    for (unsigned i = 0; i < input_->nb_streams; ++i)
      index_entries.push_back(avformat_index_get_entries_count(input_->streams[i]));
    // FFmpeg makes up the rate of pictures, and would open more than a hundred of them to learn what the first one tells.
    pictures_ = std::strcmp(input_->iformat->name, "image2") == 0;
    if (!options_.live && !pictures_) probe();
    joined_ = (input_->iformat->flags & (AVFMT_TS_DISCONT | AVFMT_NOTIMESTAMPS)) != 0;
    choose_stream();
    const auto place = static_cast<std::size_t>(stream_->index);
    count_packets(place < index_entries.size() ? index_entries[place] : 0);
    open_decoder();
  }

  /// Errors: io, format. There are no frames after an error.
  std::optional<Frame> next() {
    return until_failure([&]() -> std::optional<Frame> {
      const auto decoded = decode();
      if (!decoded) return {};
      const Orientation orientation = orientation_of(*decoded);
      if (orientation == Orientation{})
        if (const auto view = view_of(*decoded)) return Frame{*view, owner(decoded), frames_++};
      auto rgb = to_rgb_(*decoded, where());
      if (!(orientation == Orientation{})) rgb = oriented(*rgb, orientation);
      return Frame{*view_of(*rgb), rgb, frames_++};
    });
  }

  /// Decodes the next frame, checks it as next() does, and drops it; false at the end. Errors: as next().
  bool skip() {
    return until_failure([&] {
      if (!decode()) return false;
      ++frames_;
      return true;
    });
  }

  const std::string& name() const { return name_; }
  std::optional<std::int64_t> frame_count() const { return count_; }
  bool ended_early() const { return ended_ && !failed_ && (cut_off_ || (count_ && frames_ < *count_ - empty_packets_)); }
  double frame_rate() const {
    if (pictures_) return 0;
    const AVRational rate = av_guess_frame_rate(input_.get(), stream_, nullptr);
    return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
  }

 private:
  /// Keeps a frame's pixels. Those of a camera may lie in its driver's buffers, which go with the camera: it stays as long.
  std::shared_ptr<const void> owner(const std::shared_ptr<const AVFrame>& frame) const {
    struct CameraFrame {
      std::shared_ptr<AVFormatContext> camera;
      std::shared_ptr<const AVFrame> frame;  // goes first
    };
    if (!options_.live) return frame;
    return std::make_shared<const CameraFrame>(CameraFrame{input_, frame});
  }

  /// Names the next frame, which is the one that messages are about.
  std::string where() const { return concat(name_, ": frame ", frames_); }

  template <class F>
  auto until_failure(F&& f) -> decltype(f()) {
    if (failed_) return {};
    try {
      return f();
    } catch (...) {
      failed_ = true;
      throw;
    }
  }

  /// What FFmpeg does itself to learn about the streams; it decodes frames for that, hence the limit.
  void probe() {
    std::vector<AVDictionary*> options(input_->nb_streams);
    for (auto& each : options) av_dict_set_int(&each, "max_pixels", options_.max_pixels, 0);
    const int code = avformat_find_stream_info(input_.get(), options.data());
    for (auto& each : options) av_dict_free(&each);
    if (code < 0) fail(ErrorCode::format, name_, ": not a video that FFmpeg can read: ", reason(code));
  }

  void choose_stream() {
    const int best = av_find_best_stream(input_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
    // A cover picture counts as video for FFmpeg, not for who wants to track something in it.
    if (best < 0 || (input_->streams[best]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0)
      fail(ErrorCode::format, name_, ": expected a video stream, got ", input_->nb_streams, " of other kinds");
    for (unsigned i = 0; i < input_->nb_streams; ++i)
      if (static_cast<int>(i) != best) input_->streams[i]->discard = AVDISCARD_ALL;
    stream_ = input_->streams[best];
  }

  void open_decoder() {
    const AVCodecParameters& parameters = *stream_->codecpar;
    const char* codec_name = avcodec_get_name(parameters.codec_id);
    const AVCodec* decoder = avcodec_find_decoder(parameters.codec_id);
    if (!decoder) fail(ErrorCode::format, name_, ": FFmpeg has no decoder for codec ", codec_name);
    check_pixels(name_, parameters.width, parameters.height);
    codec_ = own(avcodec_alloc_context3(decoder));
    int code = avcodec_parameters_to_context(codec_.get(), &parameters);
    codec_->pkt_timebase = stream_->time_base;
    codec_->thread_count = codec_threads(options_.threads);
    codec_->max_pixels = options_.max_pixels;
    codec_->flags |= AV_CODEC_FLAG_UNALIGNED;                     // crop exactly, not to the next aligned column
    if (!joined_) codec_->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;  // broken frames count, too
    if (options_.live) {
      codec_->thread_type = FF_THREAD_SLICE;  // threads on frames delay each by as many
      codec_->flags |= AV_CODEC_FLAG_LOW_DELAY;
    }
    if (code >= 0) code = avcodec_open2(codec_.get(), decoder, nullptr);
    if (code < 0) fail(ErrorCode::format, name_, ": cannot decode codec ", codec_name, ": ", reason(code));
    const AVCodecDescriptor* descriptor = avcodec_descriptor_get(parameters.codec_id);
    independent_ = descriptor && (descriptor->props & AV_CODEC_PROP_INTRA_ONLY) != 0;
  }

  /// MP4, AVI and picture sequences say how many packets there are. In MP4 some may be there for decoding only.
  void count_packets(int index_entries) {
    if (pictures_)
      expected_packets_ = stream_->duration;
    else if (stream_->nb_frames > 0)
      expected_packets_ = index_entries > 0 ? index_entries : stream_->nb_frames;
    if (expected_packets_ <= 0) return;
    count_ = expected_packets_;
    for (int i = 0; i < index_entries; ++i)
      if ((avformat_index_get_entry(stream_, i)->flags & AVINDEX_DISCARD_FRAME) != 0) --*count_;
  }

  void check_pixels(const std::string& where, std::int64_t width, std::int64_t height) const {
    if (width > ImageView::kMaxSide || height > ImageView::kMaxSide || width * height > options_.max_pixels)
      fail(ErrorCode::format, where, ": expected at most ", options_.max_pixels, " pixels, got ", width, "x", height);
  }

  Orientation orientation_of(const AVFrame& frame) const {
    constexpr std::size_t bytes = 9 * sizeof(std::int32_t);
    if (const AVFrameSideData* data = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX))
      if (data->size >= bytes) return Orientation::of(reinterpret_cast<const std::int32_t*>(data->data));
#if LIBAVFORMAT_VERSION_MAJOR < 61  // newer decoders put the stream's own matrix on every frame
    std::size_t size = 0;
    if (const std::uint8_t* data = av_stream_get_side_data(stream_, AV_PKT_DATA_DISPLAYMATRIX, &size); data && size >= bytes)
      return Orientation::of(reinterpret_cast<const std::int32_t*>(data));
#endif
    return {};
  }

  /// The next decoded frame, checked, or null at the end.
  std::shared_ptr<AVFrame> decode() {
    const auto frame = make_frame();
    const auto deadline = std::chrono::steady_clock::now() + options_.patience;
    while (!ended_) {
      int code = avcodec_receive_frame(codec_.get(), frame.get());
      if (code == AVERROR_EOF || (code >= 0 && cut_off_ && !in_place(*frame))) break;
      if (code >= 0) {
        check(*frame);
        return frame;
      }
      if (code == AVERROR(EAGAIN)) code = feed(deadline);
      if (code < 0) cannot_decode(code);
    }
    ended_ = true;
    // What went wrong with reading is said after the frames before it.
    if (read_failure_ < 0)
      fail(from_system(read_failure_) ? ErrorCode::io : ErrorCode::format, where(),
           ": cannot be read: ", reason(read_failure_));
    if (pictures_ && cut_off_) fail(ErrorCode::format, where(), ": expected a picture, got an empty file");
    if (frames_ == 0) fail(ErrorCode::format, name_, ": expected frames, got none that can be decoded", last_failure_);
    return nullptr;
  }

  /// Gives the decoder its next packet, or tells it that there are no more, and returns its answer.
  int feed(std::chrono::steady_clock::time_point deadline) {
    if (!(options_.live ? read_newest(deadline) : read())) {
      cut_off_ = cut_off_ || packets_ < expected_packets_;
      return avcodec_send_packet(codec_.get(), nullptr);
    }
    key_seen_ = key_seen_ || (packet_->flags & AV_PKT_FLAG_KEY) != 0;
    last_dts_ = packet_->dts;
    return avcodec_send_packet(codec_.get(), packet_.get());
  }

  /// The next packet of the stream into packet_; false at the end. Reads one packet ahead, to know which one is the last.
  bool read() {
    if (!next_code_) next_code_ = read_packet(*next_);
    if (*next_code_ < 0) {
      if (*next_code_ != AVERROR_EOF) read_failure_ = *next_code_, cut_off_ = true;
      return false;
    }
    std::swap(packet_, next_);
    next_code_ = read_packet(*next_);
    // A packet that the file's end cuts off is not there: a decoder would show half of it, or take it for damage.
    cut_off_ = next_code_ == AVERROR_EOF && (packet_->flags & AV_PKT_FLAG_CORRUPT) != 0;
    return !cut_off_;
  }

  /// The newest packet of those that wait into packet_, or the next one if they depend on each other; false at the end.
  bool read_newest(std::chrono::steady_clock::time_point deadline) {
    const int most = independent_ ? kMostWaiting : 1;
    int count = 0;
    while (count < most) {
      const int code = read_packet(*next_);
      if (code == AVERROR(EAGAIN) && count == 0) {
        if (std::chrono::steady_clock::now() > deadline)
          fail(ErrorCode::io, where(), ": expected a frame within ", options_.patience.count(), " ms, got none");
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      if (code < 0 && code != AVERROR(EAGAIN) && code != AVERROR_EOF) read_failure_ = code;
      if (code < 0) break;
      std::swap(packet_, next_);
      ++count;
    }
    return count > 0;
  }

  /// FFmpeg's code for the next packet of the stream.
  int read_packet(AVPacket& packet) {
    for (;;) {
      av_packet_unref(&packet);
      const int code = av_read_frame(input_.get(), &packet);
      if (code < 0) return code;
      if (packet.stream_index != stream_->index) continue;
      ++packets_;
      // FFmpeg takes an empty packet for the end of the stream; in AVI it says that there is no new picture.
      if (packet.size > 0 || packet.side_data_elems > 0) return 0;
      ++empty_packets_;
    }
  }

  /// Where a file is cut off, the decoder's last frames may be those behind frames that were lost. A lost packet is decoded
  /// after the last one that was read, hence shown after it too: only frames up to that moment are in their place.
  bool in_place(const AVFrame& frame) const {
    return codec_->has_b_frames == 0 ||
           (frame.pts != AV_NOPTS_VALUE && last_dts_ != AV_NOPTS_VALUE && frame.pts <= last_dts_);
  }

  /// A packet of which the decoder makes nothing. That may be left out of a live stream, and in front of the first key frame
  /// of one that was joined in its middle; anywhere else a frame would be missing without a word.
  void cannot_decode(int code) {
    if (options_.live || (joined_ && frames_ == 0 && !key_seen_)) {
      last_failure_ = ": " + reason(code);
      return;
    }
    const bool delayed = codec_->has_b_frames > 0 || (codec_->active_thread_type & FF_THREAD_FRAME) != 0;
    fail(ErrorCode::format, where(), delayed ? " or one soon after it" : "", ": cannot be decoded: ", reason(code));
  }

  void check(const AVFrame& frame) {
    std::int64_t width = frame.width, height = frame.height;
    check_pixels(where(), width, height);
    if (orientation_of(frame).transposed) std::swap(width, height);
    if (frames_ == 0) width_ = width, height_ = height;
    if (width != width_ || height != height_)
      fail(ErrorCode::format, where(), ": expected ", width_, "x", height_, " pixels as in frame 0, got ", width, "x",
           height);
  }

  static constexpr int kMostWaiting = 256;  // what FFmpeg's v4l2 asks the driver to keep

  std::string name_;
  StreamOptions options_;
  std::shared_ptr<AVFormatContext> input_;
  Av<AVCodecContext> codec_;
  Av<AVPacket> packet_ = own(av_packet_alloc()), next_ = own(av_packet_alloc());
  std::optional<int> next_code_;  ///< of next_, once that has been read
  AVStream* stream_ = nullptr;
  RgbConverter to_rgb_;
  std::optional<std::int64_t> count_;
  std::int64_t packets_ = 0, expected_packets_ = 0, empty_packets_ = 0, frames_ = 0, width_ = 0, height_ = 0;
  int read_failure_ = 0;
  std::int64_t last_dts_ = AV_NOPTS_VALUE;
  std::string last_failure_;
  bool pictures_ = false;
  bool joined_ = false;  ///< a broadcast or raw stream, which may start anywhere
  bool independent_ = false, key_seen_ = false, ended_ = false, failed_ = false, cut_off_ = false;
};

}  // namespace detrack::detail
