// Videos for tests: frames that carry their number, and an encoder with every knob of FFmpeg's.
#pragma once

extern "C" {
#include <libavutil/pixdesc.h>
}

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "detrack/image/frame_source.hpp"
#include "detrack/video/ffmpeg.hpp"

namespace detrack::test {

using Colour = std::array<int, 3>;

inline void fill(Image& image, std::int64_t left, std::int64_t top, std::int64_t width, std::int64_t height,
                 const Colour& c) {
  for (std::int64_t row = top; row < std::min(top + height, image.height()); ++row)
    for (std::int64_t column = left; column < std::min(left + width, image.width()); ++column)
      for (std::size_t i = 0; i < 3; ++i) image.pixel(row, column)[i] = static_cast<std::uint8_t>(c[i]);
}

/// A red square that moves by two pixels a frame over grey, and eight blocks at the bottom: the number's bits, highest
/// first.
inline Image numbered(int number, int width = 64, int height = 48) {
  Image image(width, height);
  fill(image, 0, 0, width, height, {100, 100, 100});
  fill(image, 2 * number % (width - 8), 8, 8, 8, {220, 30, 30});
  for (int bit = 0; bit < 8; ++bit) {
    const int value = number >> (7 - bit) & 1 ? 235 : 20;
    fill(image, bit * width / 8, height - 16, width / 8, 16, {value, value, value});
  }
  return image;
}

/// The number that a frame carries.
inline int number_of(const ImageView& image) {
  const Pixels pixels = image.pixels();
  int number = 0;
  for (int bit = 0; bit < 8; ++bit)
    number = 2 * number + (pixels(image.height() - 8, (2 * bit + 1) * image.width() / 16)[1] > 128 ? 1 : 0);
  return number;
}

/// The numbers of all frames that are left.
inline std::vector<int> numbers(FrameSource& source) {
  std::vector<int> found;
  while (const auto frame = source.next()) found.push_back(number_of(frame->image));
  return found;
}

/// 0, 1, ... count - 1.
inline std::vector<int> counting(int count) {
  std::vector<int> all;
  for (int i = 0; i < count; ++i) all.push_back(i);
  return all;
}

/// Vertical bars of eight colours.
inline constexpr std::array<Colour, 8> kBars{{{255, 255, 255},
                                              {200, 190, 20},
                                              {30, 180, 190},
                                              {20, 170, 40},
                                              {180, 30, 170},
                                              {190, 20, 30},
                                              {25, 35, 180},
                                              {0, 0, 0}}};

inline Image bars(int width = 128, int height = 32) {
  Image image(width, height);
  for (int i = 0; i < 8; ++i) fill(image, i * width / 8, 0, (width + 7) / 8, height, kBars[static_cast<std::size_t>(i)]);
  return image;
}

/// The largest difference to the bars, at their middles. `as_gray`: the bars as luma, BT.601.
inline int off_bars(const ImageView& image, bool as_gray = false) {
  const Pixels pixels = image.pixels();
  int worst = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const auto got = pixels(image.height() / 2, (2 * static_cast<std::int64_t>(i) + 1) * image.width() / 16);
    const double luma = 0.299 * kBars[i][0] + 0.587 * kBars[i][1] + 0.114 * kBars[i][2];
    for (std::size_t c = 0; c < 3; ++c)
      worst = std::max(worst, std::abs(got[c] - (as_gray ? static_cast<int>(luma + 0.5) : kBars[i][c])));
  }
  return worst;
}

/// All pixels as RGB, to compare frames byte by byte.
inline std::vector<std::uint8_t> rgb_bytes(const ImageView& image) {
  const Pixels pixels = image.pixels();
  std::vector<std::uint8_t> bytes;
  for (std::int64_t row = 0; row < image.height(); ++row)
    for (std::int64_t column = 0; column < image.width(); ++column)
      for (const std::uint8_t sample : pixels(row, column)) bytes.push_back(sample);
  return bytes;
}

struct Encoding {
  std::string codec = "libx264";
  std::string container{};  ///< empty: by the path
  AVPixelFormat format = AV_PIX_FMT_YUV420P;
  AVColorSpace colorspace = AVCOL_SPC_UNSPECIFIED;  ///< tag, and how pixels are converted (BT.601 without)
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
  std::map<std::string, std::string> options{};  ///< of the encoder
  std::vector<std::int32_t> display_matrix{};
};

/// Encodes `count` frames, which are all of one size.
inline void encode(const std::filesystem::path& path, const Encoding& how, int count,
                   const std::function<Image(int)>& frame_at) {
  const auto must = [&](int code, const char* what) {
    if (code < 0) throw std::runtime_error(std::string(what) + " " + how.codec + ": " + detrack::detail::reason(code));
  };
  detrack::detail::silence_log();
  const Image first = frame_at(0);
  const int width = static_cast<int>(first.width()), height = static_cast<int>(first.height());
  AVFormatContext* output = nullptr;
  must(avformat_alloc_output_context2(&output, nullptr, how.container.empty() ? nullptr : how.container.c_str(),
                                      path.c_str()),
       "container for");
  const std::unique_ptr<AVFormatContext, decltype(&avformat_free_context)> freed(output, avformat_free_context);
  const AVCodec* encoder = avcodec_find_encoder_by_name(how.codec.c_str());
  if (!encoder) throw std::runtime_error("no encoder " + how.codec);
  const auto codec = detrack::detail::own(avcodec_alloc_context3(encoder));
  codec->width = width;
  codec->height = height;
  codec->pix_fmt = how.format;
  codec->time_base = {1, 25};
  codec->framerate = {25, 1};
  codec->colorspace = how.colorspace;
  codec->color_range = how.range;
  codec->thread_count = 1;
  codec->strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL;  // full range in formats that do not say so
  if (output->oformat->flags & AVFMT_GLOBALHEADER) codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  detrack::detail::AvOptions options;
  for (const auto& [name, value] : how.options) options.set(name.c_str(), value);
  must(avcodec_open2(codec.get(), encoder, options.get()), "opening");
  AVStream* stream = avformat_new_stream(output, nullptr);
  must(avcodec_parameters_from_context(stream->codecpar, codec.get()), "parameters of");
  stream->time_base = codec->time_base;
  stream->avg_frame_rate = codec->framerate;
  if (!how.display_matrix.empty()) {
    std::uint8_t* data = av_stream_new_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(std::int32_t));
    std::memcpy(data, how.display_matrix.data(), 9 * sizeof(std::int32_t));
  }
  if (!(output->oformat->flags & AVFMT_NOFILE)) must(avio_open(&output->pb, path.c_str(), AVIO_FLAG_WRITE), "file for");
  must(avformat_write_header(output, nullptr), "header for");

  const auto scaler = detrack::detail::own(sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, how.format,
                                                          SWS_BICUBIC | SWS_ACCURATE_RND, nullptr, nullptr, nullptr));
  const int matrix = how.colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_ITU601 : static_cast<int>(how.colorspace);
  const bool full_range = how.range == AVCOL_RANGE_JPEG ||
                          (how.range == AVCOL_RANGE_UNSPECIFIED && av_pix_fmt_desc_get(how.format)->nb_components < 3);
  sws_setColorspaceDetails(scaler.get(), sws_getCoefficients(SWS_CS_DEFAULT), 1, sws_getCoefficients(matrix), full_range, 0,
                           1 << 16, 1 << 16);
  const auto packet = detrack::detail::own(av_packet_alloc());
  for (int i = 0; i <= count; ++i) {
    std::shared_ptr<AVFrame> frame;
    if (i < count) {
      const Image image = frame_at(i);
      frame = detrack::detail::make_frame(how.format, width, height);
      frame->pts = i;
      frame->color_range = how.range;
      std::vector<std::uint8_t> padded(image.data(), image.data() + 3 * width * height);
      padded.resize(padded.size() + 64);  // swscale reads on
      const std::uint8_t* data[] = {padded.data()};
      const int stride[] = {3 * width};
      must(sws_scale(scaler.get(), data, stride, 0, height, frame->data, frame->linesize), "conversion for");
    }
    must(avcodec_send_frame(codec.get(), frame.get()), "encoding with");
    while (avcodec_receive_packet(codec.get(), packet.get()) >= 0) {
      packet->duration = 1;
      av_packet_rescale_ts(packet.get(), codec->time_base, stream->time_base);
      must(av_interleaved_write_frame(output, packet.get()), "writing with");
    }
  }
  must(av_write_trailer(output), "trailer for");
  if (output->pb) must(avio_closep(&output->pb), "closing");
}

}  // namespace detrack::test
