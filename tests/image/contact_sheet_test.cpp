// Contact sheets: tiles where they belong.
#include "detrack/image/contact_sheet.hpp"

#include <doctest/doctest.h>

#include <string>

#include "tests/image/image_support.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;

namespace {

/// The rectangle of all pixels of a colour, and how many there are.
struct Extent {
  std::int64_t left = 1 << 20, top = 1 << 20, right = 0, bottom = 0, count = 0;
  Extent(const Image& image, Colour colour) {
    for (std::int64_t y = 0; y < image.height(); ++y)
      for (std::int64_t x = 0; x < image.width(); ++x)
        if (test::colour_at(image, x, y) == colour) {
          left = std::min(left, x), top = std::min(top, y), right = std::max(right, x + 1), bottom = std::max(bottom, y + 1);
          ++count;
        }
  }
};

}  // namespace

TEST_CASE("tiles stand in rows, whole and in order") {
  ContactSheet sheet("title", {40, 30}, 2, 1);
  const Colour colours[] = {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 0, 255}, {0, 255, 255}};
  // As large as a tile, larger of the same shape, wide, high, tiny.
  const ImageSize sizes[] = {{40, 30}, {400, 300}, {80, 20}, {3, 9}, {1, 1}};
  const ImageSize expected[] = {{40, 30}, {40, 30}, {40, 10}, {10, 30}, {30, 30}};
  for (int i = 0; i < 5; ++i)
    sheet.add(test::plain_image(sizes[i].width, sizes[i].height, colours[i]), "frame " + std::to_string(i));
  CHECK(sheet.size() == 5);
  const Image image = sheet.draw();
  std::int64_t centre_x[5], centre_y[5];
  for (int i = 0; i < 5; ++i) {
    const Extent extent(image, colours[i]);
    CHECK(extent.right - extent.left == expected[i].width);
    CHECK(extent.bottom - extent.top == expected[i].height);
    CHECK(extent.count == expected[i].width * expected[i].height);
    centre_x[i] = (extent.left + extent.right) / 2, centre_y[i] = (extent.top + extent.bottom) / 2;
  }
  CHECK(centre_x[1] - centre_x[0] > 40);
  CHECK(centre_x[2] == centre_x[0]);
  CHECK(centre_x[3] == centre_x[1]);
  CHECK(centre_y[1] == centre_y[0]);
  CHECK(centre_y[2] - centre_y[0] >= 30 + 9);  // room for the caption
  CHECK(centre_y[4] - centre_y[2] == centre_y[2] - centre_y[0]);
  CHECK(Extent(image, ContactSheet::kCaption).count > 5 * 30);
  const Extent title(image, {255, 220, 40});
  CHECK(title.count > 20);
  CHECK(title.bottom <= Extent(image, colours[0]).top);
}

TEST_CASE("captions have colours, and are cut to their tiles") {
  ContactSheet sheet(std::string(500, 'W'), {60, 20}, 1, 1);
  sheet.add(Image(6, 2), std::string(500, 'M'), {1, 250, 3});
  const Image image = sheet.draw();
  const Extent caption(image, {1, 250, 3});
  CHECK(caption.count > 20);
  CHECK(caption.right - caption.left <= 60);
  CHECK(Extent(image, {255, 220, 40}).right <= image.width());
  CHECK(ContactSheet("nothing on it").draw().width() > 0);
}

TEST_CASE("contact sheets refuse what they cannot show") {
  using test::error_of;
  CHECK(error_of(ErrorCode::argument, [] {
          ContactSheet("", {0, 5});
        }) == "ContactSheet: tile: expected sides in [1, 1048576], got 0x5");
  CHECK(error_of(ErrorCode::argument, [] {
          ContactSheet("", {5, 5}, 0);
        }) == "ContactSheet: columns: expected at least 1, got 0");
  CHECK(error_of(ErrorCode::argument, [] {
          ContactSheet("", {5, 5}, 1, 0);
        }) == "ContactSheet: scale: expected 1 to 1000, got 0");
  ContactSheet sheet("");
  CHECK(error_of(ErrorCode::argument, [&] { sheet.add(Image(), ""); }) ==
        "ContactSheet::add: picture: expected pixels, got an empty image");
}
