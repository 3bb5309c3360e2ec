// Writes frames to a video file, over FFmpeg's libraries.
#pragma once

extern "C" {
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
}

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "detrack/core/error.hpp"
#include "detrack/image/image.hpp"
#include "detrack/io/atomic_file.hpp"
#include "detrack/video/ffmpeg.hpp"
#include "detrack/video/frame_image.hpp"

namespace detrack {

struct VideoWriterOptions {
  int quality = 20;     ///< 1 (largest files) to 51, on H.264's scale: its constant rate factor
  int threads = 0;      ///< of the encoder; 0: a quarter of the cores, between 1 and 4
  std::string codec{};  ///< FFmpeg's name of an encoder; empty: libx264 or mpeg4 if the container takes them, or its default
};

namespace detail {

/// A copy of an image in a frame of FFmpeg's, with its tags. Errors: argument (rows further apart than FFmpeg can count).
inline std::shared_ptr<AVFrame> frame_of(const ImageView& image) {
  const auto format = [&] {
    switch (image.format()) {
      case PixelFormat::rgb: return AV_PIX_FMT_RGB24;
      case PixelFormat::bgr: return AV_PIX_FMT_BGR24;
      case PixelFormat::rgba: return AV_PIX_FMT_RGB0;
      case PixelFormat::bgra: return AV_PIX_FMT_BGR0;
      case PixelFormat::gray: return AV_PIX_FMT_GRAY8;
      case PixelFormat::nv12: return AV_PIX_FMT_NV12;
      case PixelFormat::i420: return AV_PIX_FMT_YUV420P;
      case PixelFormat::yuyv: return AV_PIX_FMT_YUYV422;
    }
    return AV_PIX_FMT_NONE;
  }();
  auto frame = make_frame(format, static_cast<int>(image.width()), static_cast<int>(image.height()));
  frame->colorspace = image.colour().standard == YuvColour::Standard::bt709 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
  frame->color_range = image.colour().full_range || format == AV_PIX_FMT_GRAY8 ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
  const std::uint8_t* data[4] = {};
  int stride[4] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    if (std::abs(image.stride(i)) > std::numeric_limits<int>::max())
      fail(ErrorCode::argument, "VideoWriter: image: expected a stride below 2^31 bytes, got ", image.stride(i));
    data[i] = image.data(i);
    stride[i] = static_cast<int>(image.stride(i));
  }
  av_image_copy(frame->data, frame->linesize, data, stride, format, frame->width, frame->height);
  return frame;
}

}  // namespace detail

/// A video file of frames of one size: 4:2:0, BT.709 from a height of 720 on, else BT.601, tagged as such. The name's
/// extension chooses the container; MP4 files start to play before they have arrived whole. A side of odd length grows by
/// one pixel, which repeats its neighbour. One thread at a time.
///
/// Frames go to a temporary file beside `path`, which finish() puts in place; without it the destructor removes it. finish()
/// may be called after any frame, also when something else has failed: what was written so far becomes a file that plays.
class VideoWriter {
 public:
  /// Errors: io (the folder cannot be written), argument (unknown extension, size, rate or options that the encoder
  /// refuses), not_available (this build of FFmpeg has no encoder for the container).
  VideoWriter(const std::filesystem::path& path, std::int64_t width, std::int64_t height, double frame_rate,
              const VideoWriterOptions& options = {})
      : path_(path), width_(width), height_(height) {
    detail::silence_log();
    check(width, height, frame_rate, options);
    const AVOutputFormat* container = av_guess_format(nullptr, path.filename().c_str(), nullptr);
    if (!container || (container->flags & AVFMT_NOFILE) != 0)
      fail(ErrorCode::argument, path.string(), ": expected the extension of a video file, such as .mp4, got '",
           path.extension().string(), "'");
    const AVCodec* encoder = encoder_for(*container, options);
    open_encoder(*encoder, (container->flags & AVFMT_GLOBALHEADER) != 0, frame_rate, options);
    open_file(*container);
  }
  VideoWriter(const VideoWriter&) = delete;
  VideoWriter& operator=(const VideoWriter&) = delete;

  /// Appends a frame in any format. Errors: argument (another size, after finish()), io (no space and the like).
  void write(const ImageView& image) {
    if (!file_) fail(ErrorCode::argument, where(), ": expected no frame after finish()");
    if (image.width() != width_ || image.height() != height_)
      fail(ErrorCode::argument, where(), ": expected ", width_, "x", height_, " pixels, got ", image.width(), "x",
           image.height());
    const auto frame = make_frame(image);
    frame->pts = frames_;
    encode(frame.get());
    ++frames_;
  }

  /// Completes the file and puts it in place; does nothing the second time, and leaves no file if there are no frames.
  /// Errors: io.
  void finish() {
    if (!file_) return;
    if (frames_ > 0) {
      encode(nullptr);
      must(av_write_trailer(output_.get()), "cannot be completed");
      must(avio_closep(&output_->pb), "cannot be completed");
      file_->commit();
    }
    output_.reset();
    file_.reset();
  }

  std::int64_t frames() const { return frames_; }  ///< written so far

 private:
  struct FreeOutput {
    void operator()(AVFormatContext* output) const {
      if (output->pb) avio_closep(&output->pb);
      avformat_free_context(output);
    }
  };

  std::string where() const { return detail::concat(path_.string(), ": frame ", frames_); }

  void must(int code, const char* what) const {
    if (code < 0) fail(ErrorCode::io, where(), ": ", what, ": ", detail::reason(code));
  }

  void check(std::int64_t width, std::int64_t height, double frame_rate, const VideoWriterOptions& options) const {
    if (width < 1 || height < 1 || width > ImageView::kMaxSide || height > ImageView::kMaxSide)
      fail(ErrorCode::argument, path_.string(), ": size: expected sides in [1, ", ImageView::kMaxSide, "], got ", width, "x",
           height);
    if (!(frame_rate >= 0.001 && frame_rate <= 10000))
      fail(ErrorCode::argument, path_.string(), ": frame rate: expected a number in [0.001, 10000], got ", frame_rate);
    if (options.quality < 1 || options.quality > 51)
      fail(ErrorCode::argument, path_.string(), ": quality: expected a number in [1, 51], got ", options.quality);
  }

  const AVCodec* encoder_for(const AVOutputFormat& container, const VideoWriterOptions& options) const {
    if (!options.codec.empty()) {
      const AVCodec* wanted = avcodec_find_encoder_by_name(options.codec.c_str());
      if (!wanted)
        fail(ErrorCode::not_available, path_.string(), ": this build of FFmpeg has no encoder '", options.codec, "'");
      return wanted;
    }
    for (const char* name : {"libx264", "mpeg4"})
      if (const AVCodec* encoder = avcodec_find_encoder_by_name(name))
        if (avformat_query_codec(&container, encoder->id, FF_COMPLIANCE_NORMAL) == 1) return encoder;
    const AVCodec* encoder = avcodec_find_encoder(container.video_codec);
    if (!encoder)
      fail(ErrorCode::not_available, path_.string(), ": this build of FFmpeg has no encoder for ", container.long_name);
    return encoder;
  }

  void open_encoder(const AVCodec& encoder, bool global_header, double frame_rate, const VideoWriterOptions& options) {
    const AVRational rate = av_d2q(frame_rate, 65535);  // what MPEG-4 can count
    codec_ = detail::own(avcodec_alloc_context3(&encoder));
    codec_->width = static_cast<int>(width_ + width_ % 2);
    codec_->height = static_cast<int>(height_ + height_ % 2);
    codec_->pix_fmt = AV_PIX_FMT_YUV420P;
    codec_->framerate = rate;
    codec_->time_base = av_inv_q(rate);
    codec_->colorspace = high_definition() ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
    codec_->color_range = AVCOL_RANGE_MPEG;
    codec_->thread_count = detail::codec_threads(options.threads);
    if (global_header) codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (av_opt_set_int(codec_->priv_data, "crf", options.quality, 0) < 0) {  // H.264's quantiser doubles its step every 6
      codec_->flags |= AV_CODEC_FLAG_QSCALE;
      codec_->global_quality =
          static_cast<int>(FF_QP2LAMBDA * std::clamp(std::exp2((options.quality - 12) / 6.0), 1.0, 31.0));
    }
    if (encoder.id == AV_CODEC_ID_H264) av_opt_set(codec_->priv_data, "preset", "veryfast", 0);
    const int code = avcodec_open2(codec_.get(), &encoder, nullptr);
    if (code < 0)
      fail(ErrorCode::argument, path_.string(), ": encoder ", encoder.name, " refuses ", codec_->width, "x", codec_->height,
           " pixels at ", frame_rate, " frames per second: ", detail::reason(code));
  }

  void open_file(const AVOutputFormat& container) {
    file_.emplace(path_);
    AVFormatContext* output = nullptr;
    must(avformat_alloc_output_context2(&output, &container, nullptr, detail::file_url(file_->temporary().string()).c_str()),
         "cannot be started");
    output_.reset(output);
    stream_ = avformat_new_stream(output, nullptr);
    if (!stream_) throw std::bad_alloc();
    must(avcodec_parameters_from_context(stream_->codecpar, codec_.get()), "cannot be started");
    stream_->time_base = codec_->time_base;
    stream_->avg_frame_rate = codec_->framerate;
    must(avio_open(&output->pb, output->url, AVIO_FLAG_WRITE), "cannot be opened");
    detail::AvOptions options;
    options.set("movflags", "+faststart");  // other containers than MP4 ignore it
    const int code = avformat_write_header(output, options.get());
    if (code < 0)
      fail(detail::from_system(code) ? ErrorCode::io : ErrorCode::argument, path_.string(),
           ": cannot hold video of encoder ", codec_->codec->name, ": ", detail::reason(code));
  }

  bool high_definition() const { return height_ >= 720; }

  /// The image as the encoder wants it.
  std::shared_ptr<AVFrame> make_frame(const ImageView& image) {
    auto source = detail::frame_of(image);
    const bool yuv =
        image.format() == PixelFormat::i420 || image.format() == PixelFormat::nv12 || image.format() == PixelFormat::yuyv;
    const bool same_colour = source->colorspace == codec_->colorspace && source->color_range == codec_->color_range;
    if (yuv && !same_colour) source = to_rgb_(*source, where());  // swscale mistakes the range where the matrix changes, too
    const auto frame = detail::make_frame(codec_->pix_fmt, codec_->width, codec_->height);
    frame->colorspace = codec_->colorspace;
    frame->color_range = codec_->color_range;
    scaler_.reset(sws_getCachedContext(
        scaler_.release(), source->width, source->height, static_cast<AVPixelFormat>(source->format), source->width,
        source->height, codec_->pix_fmt, SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, nullptr, nullptr, nullptr));
    if (!scaler_) throw std::bad_alloc();
    const int* matrix = sws_getCoefficients(high_definition() ? SWS_CS_ITU709 : SWS_CS_ITU601);
    sws_setColorspaceDetails(scaler_.get(), matrix, source->color_range == AVCOL_RANGE_JPEG, matrix, 0, 0, 1 << 16, 1 << 16);
    must(sws_scale(scaler_.get(), source->data, source->linesize, 0, source->height, frame->data, frame->linesize),
         "cannot be converted");
    repeat_last(*frame);
    return frame;
  }

  /// Fills the column and the row that an odd size lacks; chroma has them already.
  void repeat_last(AVFrame& frame) const {
    const std::ptrdiff_t stride = frame.linesize[0];
    if (width_ % 2 != 0)
      for (std::int64_t row = 0; row < height_; ++row) {
        std::uint8_t* end = frame.data[0] + row * stride + width_;
        *end = end[-1];
      }
    if (height_ % 2 != 0) {
      std::uint8_t* end = frame.data[0] + height_ * stride;
      std::copy_n(end - stride, frame.width, end);
    }
  }

  /// Encodes a frame, or for null what the encoder still holds, and writes all packets that come out.
  void encode(const AVFrame* frame) {
    must(avcodec_send_frame(codec_.get(), frame), "cannot be encoded");
    for (;;) {
      const int code = avcodec_receive_packet(codec_.get(), packet_.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      must(code, "cannot be encoded");
      packet_->stream_index = stream_->index;
      packet_->duration = 1;
      av_packet_rescale_ts(packet_.get(), codec_->time_base, stream_->time_base);
      must(av_interleaved_write_frame(output_.get(), packet_.get()), "cannot be written");
    }
  }

  std::filesystem::path path_;
  std::int64_t width_, height_, frames_ = 0;
  std::optional<AtomicFile> file_;
  detail::Av<AVCodecContext> codec_;
  std::unique_ptr<AVFormatContext, FreeOutput> output_;
  detail::Av<AVPacket> packet_ = detail::own(av_packet_alloc());
  detail::RgbConverter to_rgb_;
  detail::Av<SwsContext> scaler_;
  AVStream* stream_ = nullptr;  ///< of output_
};

}  // namespace detrack
