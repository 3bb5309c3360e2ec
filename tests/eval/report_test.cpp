// Reports: a page that any browser reads as it was meant, whatever names and numbers are put into it.
#include "detrack/eval/report.hpp"

#include <doctest/doctest.h>

#include <cctype>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>

#include "detrack/core/rng.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using detrack::test::error_of;
using detrack::test::TemporaryFolder;

namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

/// What a parser that forgives nothing finds wrong with a page: tags that do not nest, attributes without quotes, bare
/// markup, links to nowhere, anything fetched from elsewhere.
class PageCheck {
 public:
  explicit PageCheck(const std::string& html) : html_(html) {
    while (at_ < html_.size() && problem.empty()) html_[at_] == '<' ? tag() : text();
    if (problem.empty() && !open_.empty()) problem = "not closed: " + open_.back();
    for (const std::string& link : links_)
      if (!ids_.contains(link)) problem += " link to nowhere: " + link;
  }
  std::string problem, visible;     ///< visible: the text between tags, entities as they stand
  std::vector<std::string> paths;   ///< data of SVG paths
  std::map<std::string, int> tags;  ///< how many of each

 private:
  void text() {
    const std::size_t end = std::min(html_.find('<', at_), html_.size());
    for (std::size_t i = at_; i < end; ++i) {
      if (html_[i] == '>' && open_.back() != "style") problem = "a bare > near " + html_.substr(i, 40);
      if (html_[i] == '&' && html_.substr(i, 12).find(';') == std::string::npos)
        problem = "a bare & near " + html_.substr(i, 40);
    }
    if (open_.empty() || open_.back() != "style") visible += html_.substr(at_, end - at_) + " ";
    at_ = end;
  }
  void tag() {
    if (html_.compare(at_, 15, "<!DOCTYPE html>") == 0 && at_ == 0) return void(at_ = 15);
    const bool closing = html_[at_ + 1] == '/';
    at_ += closing ? 2 : 1;
    const std::string name = word();
    if (name.empty()) return void(problem = "a bare < near " + html_.substr(at_, 40));
    ++tags[name];
    bool closed = false;
    for (; problem.empty() && at_ < html_.size() && html_[at_] != '>';) {
      if (html_[at_] == ' ' || html_[at_] == '\n')
        ++at_;
      else if (html_[at_] == '/')
        closed = true, ++at_;
      else
        attribute();
    }
    ++at_;
    if (closing) {
      if (open_.empty() || open_.back() != name)
        return void(problem = "closes " + name + " within " + (open_.empty() ? "nothing" : open_.back()));
      return open_.pop_back();
    }
    const std::set<std::string> empty{"meta", "br", "img", "wbr"};
    if (!closed && !empty.contains(name)) open_.push_back(name);
  }
  void attribute() {
    const std::string name = word();
    if (name.empty()) return void(problem = "no attribute near " + html_.substr(at_, 40));
    if (html_[at_] != '=') return;  // open
    if (html_[at_ + 1] != '"') return void(problem = "no quotes near " + html_.substr(at_, 40));
    const std::size_t end = html_.find('"', at_ + 2);
    const std::string value = html_.substr(at_ + 2, end - at_ - 2);
    at_ = end + 1;
    if (value.find('<') != std::string::npos || value.find('>') != std::string::npos) problem = "markup in " + name;
    if (name.starts_with("on")) problem = "a script in " + name;
    if (name == "id" && !ids_.insert(value).second) problem = "twice the same id: " + value;
    if (name == "href" && value[0] != '#') problem = "a link to elsewhere: " + value;
    if (name == "href") links_.insert(value.substr(1));
    if (name == "src" && !value.starts_with("data:image/jpeg;base64,")) problem = "fetched from elsewhere: " + value;
    if (name == "d") paths.push_back(value);
  }
  std::string word() {
    const std::size_t begin = at_;
    while (at_ < html_.size() && (std::isalnum(static_cast<unsigned char>(html_[at_])) || html_[at_] == '-')) ++at_;
    return html_.substr(begin, at_ - begin);
  }

  const std::string html_;
  std::size_t at_ = 0;
  std::vector<std::string> open_;
  std::set<std::string> ids_, links_;
};

/// The page, checked, with numbers only where numbers belong.
PageCheck page_of(const Report& report) {
  const std::string html = report_html(report);
  const PageCheck page(html);
  CHECK(page.problem == "");
  CHECK(page.tags.count("script") == 0);
  for (const char* from_outside : {"http:", "https:", "url(", "@import", "javascript:"})
    CHECK(html.find(from_outside) == std::string::npos);
  for (const std::string& path : page.paths) CHECK(path.find_first_not_of("MLHVZhv0123456789. -") == std::string::npos);
  for (const char* not_a_number : {"width:nan", "width:inf", "width:-"}) CHECK(html.find(not_a_number) == std::string::npos);
  return page;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Scores that are all of them different and easy to find.
SequenceScores scores_of_sequence(const std::string& name, double auc, std::vector<double> overlaps) {
  SequenceScores s;
  s.name = name;
  s.auc = auc, s.precision = auc + 0.01, s.norm_precision = auc + 0.02, s.ao = auc + 0.03, s.sr50 = auc + 0.04,
  s.sr75 = auc + 0.05;
  s.fps = 100 * auc;
  s.frames = static_cast<std::int64_t>(overlaps.size());
  for (const double overlap : overlaps) s.scored += !std::isnan(overlap);
  s.overlaps = std::move(overlaps);
  return s;
}

Evaluation evaluation_of(const std::string& tracker, double auc) {
  Evaluation e;
  e.tracker = tracker;
  e.thresholds = {{0, 0.5, 1}, {0, 25, 50}, {0, 0.25, 0.5}};
  e.sequences = {scores_of_sequence("one", auc - 0.1, {1, 0.5, kMissing, 0.25}),
                 scores_of_sequence("two", auc + 0.1, {1, 0, 0})};
  static_cast<Scores&>(e.overall) = scores_of_sequence("", auc, {});
  e.overall.success_curve = {1, auc, 0}, e.overall.precision_curve = {0, auc, 1},
  e.overall.norm_precision_curve = {0, auc, 0.9};
  e.choices = {"Frame 0 counts."};
  return e;
}

}  // namespace

TEST_CASE("report: one tracker") {
  Report report;
  report.evaluations = {evaluation_of("mine", 0.6)};
  report.facts = {{"dataset", "val"}};
  report.strip_legend = "green: truth";
  report.strips = {{"two", {{"\xff\xd8picture", 0, 1}, {"another", 2, kMissing}}}};
  const std::string html = report_html(report);
  const PageCheck page = page_of(report);
  for (const char* part : {"Evaluation of mine",
                           "2 sequences, 6 of 7 frames scored",
                           "OTB protocol as got-10k/toolkit",
                           "(otb, toolkit)",
                           "dataset",
                           "val",
                           "Frame 0 counts.",
                           "0.600",
                           "0.610",
                           "0.620",
                           "0.630",
                           "0.640",
                           "0.650",
                           "60.0",
                           "0.500",
                           "0.700",
                           "70.0",
                           "green: truth",
                           "frame 2",
                           "not scored",
                           "IoU 1.00"})
    CHECK_MESSAGE(contains(page.visible, part), part);
  CHECK(contains(html, "data:image/jpeg;base64," + detail::base64("\xff\xd8picture") + "\""));
  CHECK(page.tags.at("img") == 2);
  CHECK(contains(html, "M0.5 0.0h0L1.5 50.0M3.5 75.0h0\""));       // the overlaps of "one", with their gap
  CHECK(contains(html, "class=\"missing\" d=\"M2 0H3V100H2Z\""));  // which is shaded
  CHECK(contains(html, "M0.5 100v-7M2.5 100v-7"));                 // the frames of the pictures
  CHECK(html.find(">two</a>") < html.find(">one</a>"));            // bars: best first
  CHECK(contains(html, "style=\"width:70.0%\""));
  CHECK(contains(html, "prefers-color-scheme:dark"));
  CHECK(contains(html, "width=device-width"));
}

TEST_CASE("report: trackers compared") {
  Report report;
  report.evaluations = {evaluation_of("mine", 0.6), evaluation_of("better", 0.7), evaluation_of("", 0.5)};
  report.evaluations[2].sequences.push_back(scores_of_sequence("only here", 0.9, {1, 1}));
  report.evaluations[1].warnings = {"odd"};
  const std::string html = report_html(report);
  const PageCheck page = page_of(report);
  CHECK(contains(page.visible, "mine compared with 2 trackers"));
  CHECK(contains(html, "<td class=\"best\">0.700</td>"));
  CHECK(!contains(html, "<td class=\"best\">0.600</td>"));
  CHECK(contains(page.visible, "tracker 3"));  // one without a name
  CHECK(contains(page.visible, "better: odd"));
  CHECK(contains(page.visible, "only here"));
  CHECK(!contains(page.visible, "do not compare"));
  const std::size_t legend = html.find("class=\"legend\"");  // sorted by score
  CHECK(html.find(">better<", legend) < html.find(">mine<", legend));
  for (const char* line : {"line c0 d0", "line c1 d1", "line c2 d2"}) CHECK(contains(html, line));

  report.evaluations[1].convention = Convention::pytracking;
  const PageCheck mixed = page_of(report);
  CHECK(contains(mixed.visible, "do not compare"));
  CHECK(contains(mixed.visible, "pytracking computes it"));
}

TEST_CASE("report: confidence, of those trackers whose scores are known") {
  Report report;
  report.evaluations = {evaluation_of("silent", 0.6), evaluation_of("talking", 0.7)};
  CHECK(!contains(report_html(report), "Confidence"));

  const std::vector<FrameConfidence> confidences{{0.85, 0.55, TargetState::tracking}, {0.35, kMissing, TargetState::lost}};
  report.evaluations[1].reliability = reliability_of(confidences, std::vector<double>{0.74, 0.05});
  const std::string html = report_html(report);
  const PageCheck page = page_of(report);
  CHECK(contains(html, "<a href=\"#confidence\">"));
  CHECK(page.tags.at("figure") == 2 * (3 + 3));  // opened and closed: curves, and what the second tracker alone has
  for (const char* part : {"Softmax score", "IoU score", "calibration error, 2 frames", "calibration error, 1 frames",
                           "0.205",  // (0.11 + 0.3) / 2
                           "0.190", "uncertain", "0.740", "0.050", "1.000"})
    CHECK_MESSAGE(contains(page.visible, part), part);
  const std::size_t section = html.find("id=\"confidence\"");
  CHECK(html.find("<h3>talking</h3>", section) != std::string::npos);
  CHECK(html.find("<h3>silent</h3>", section) == std::string::npos);
}

TEST_CASE("report: text from outside stays text") {
  const std::string evil = "<script>alert('x')</script>&amp;\"' onload=\"x\x01\xff\xc0\x80 \xe5\xba\x8f\xe5\x88\x97_1";
  Report report;
  report.title = evil;
  report.strip_legend = evil;
  report.facts = {{evil, evil}};
  report.evaluations = {evaluation_of(evil, 0.6), evaluation_of(evil, 0.5)};
  for (Evaluation& e : report.evaluations) {
    e.sequences[0].name = evil;
    e.sequences[0].warnings = e.warnings = e.choices = {evil};
  }
  report.strips = {{evil, {{"", 1, 0.5}}}};
  const PageCheck page = page_of(report);
  CHECK(contains(
      page.visible,
      "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;&quot;&#39; onload=&quot;x\ufffd\ufffd\ufffd\ufffd "));
  CHECK(contains(page.visible, "\u5e8f\u5217"));
}

TEST_CASE("report: nothing to show, and nothing but NaN") {
  page_of({});
  Report report;
  report.evaluations = {{}};
  page_of(report);
  report.evaluations = {evaluation_of("a", kMissing), evaluation_of("b", kMissing)};
  for (Evaluation& e : report.evaluations) {
    e.overall.success_curve = {kMissing, std::numeric_limits<double>::infinity(), kMissing};
    e.thresholds.precision = {kMissing, 1e300, -5};
    e.sequences[0].overlaps = {kMissing, std::numeric_limits<double>::infinity(), -1, 7, kMissing};
    e.sequences[1].overlaps = {};
  }
  report.strips = {{"of no sequence", {{"x", -5, kMissing}, {"x", 1 << 30, kMissing}}}, {"two", {}}};
  const PageCheck page = page_of(report);
  CHECK(contains(page.visible, "of no sequence"));
  CHECK(!contains(page.visible, "nan"));
}

TEST_CASE("report: long sequences and many sequences stay small") {
  Report report;
  report.evaluations = {evaluation_of("a", 0.5)};
  Evaluation& e = report.evaluations[0];
  Philox rng(3);
  std::vector<double> overlaps(200000);
  for (std::size_t i = 0; i < overlaps.size(); ++i) overlaps[i] = i % 3 == 0 ? kMissing : rng.uniform();
  e.sequences = {scores_of_sequence("long", 0.5, overlaps)};
  const std::size_t one = report_html(report).size();
  CHECK(one < 80000);
  e.sequences.clear();
  for (int i = 0; i < 300; ++i) e.sequences.push_back(scores_of_sequence("s" + std::to_string(i), 0.5, {1, 1}));
  e.warnings.assign(10000, std::string(10000, 'x'));
  CHECK(report_html(report).size() < 600000);
  const PageCheck page = page_of(report);
  CHECK(contains(page.visible, "and 9,900 more"));
}

TEST_CASE("report: written all or nothing") {
  const TemporaryFolder folder;
  Report report;
  report.evaluations = {evaluation_of("a", 0.5)};
  write_report(report, folder / "report.html");
  std::ifstream in(folder / "report.html", std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == report_html(report));
  CHECK(contains(error_of(ErrorCode::io, [&] { write_report(report, folder / "none" / "report.html"); }), "report.html"));
}

TEST_CASE("report: colours can be told from what is behind them") {
  const std::string css = detail::kReportStyle;
  const auto luminance = [&](const std::string& name, std::size_t from) {  // WCAG 2
    const std::size_t at = css.find("--" + name + ":#", from) + name.size() + 4;
    std::string hex = css.substr(at, css.find_first_of(";}", at) - at);
    if (hex.size() == 3) hex = {hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]};
    REQUIRE(hex.size() == 6);
    double sum = 0;
    const double weights[] = {0.2126, 0.7152, 0.0722};
    for (std::size_t c = 0; c < 3; ++c) {
      const double v = std::stoi(hex.substr(2 * c, 2), nullptr, 16) / 255.0;
      sum += weights[c] * (v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4));
    }
    return sum;
  };
  for (const std::size_t theme : {css.find(":root{color"), css.find(":root{--page")}) {
    REQUIRE(theme != std::string::npos);
    const auto contrast = [&](const std::string& a, const std::string& b) {
      const double x = luminance(a, theme), y = luminance(b, theme);
      return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
    };
    for (const char* behind : {"page", "card"}) {
      for (const char* text : {"text", "soft"}) CHECK(contrast(text, behind) >= 4.5);
      for (int c = 0; c < 6; ++c) CHECK(contrast("c" + std::to_string(c), behind) >= 3);
    }
    for (int c = 0; c < 6; ++c) CHECK(contrast("c" + std::to_string(c), "shade") >= 3);
  }
}

TEST_CASE("html: text") {
  using detail::html_text;
  CHECK(html_text("a<b>&\"c'") == "a&lt;b&gt;&amp;&quot;c&#39;");
  CHECK(html_text("\u00e9\u20ac\U0001f600") == "\u00e9\u20ac\U0001f600");
  CHECK(html_text("\xc3") == "\ufffd");            // cut short
  CHECK(html_text("\xc0\xaf") == "\ufffd\ufffd");  // too long a form
  CHECK(html_text("\xe0\x80\xaf") == "\ufffd\ufffd\ufffd");
  CHECK(html_text("\xed\xa0\x80") == "\ufffd\ufffd\ufffd");  // half of a pair
  CHECK(html_text("\xf4\x90\x80\x80") == "\ufffd\ufffd\ufffd\ufffd");
  CHECK(html_text("\xff\x7f\n\t") == "\ufffd\ufffd\ufffd\ufffd");
  CHECK(html_text("\xc2\x85") == "\ufffd\ufffd");  // a control character
  CHECK(html_text("12345", 5) == "12345");
  CHECK(html_text("123456", 5) == "12345\u2026");
  CHECK(detail::html_number(0.66449) == "0.664");
  CHECK(detail::html_number(kMissing) == "\u2013");
  CHECK(detail::html_count(999) == "999");
  CHECK(detail::html_count(1234567) == "1,234,567");
}

TEST_CASE("html: base64, the vectors of RFC 4648") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\xfb\xff\xfe", "+//+"}};
  for (const auto& [bytes, text] : vectors) CHECK(detail::base64(bytes) == text);
}

TEST_CASE("time plot: no extreme is lost") {
  Philox rng(7);
  for (const std::size_t frames : {0u, 1u, 5u, 399u, 400u, 401u, 1000u, 12345u}) {
    CAPTURE(frames);
    std::vector<double> values(frames);
    for (double& value : values) value = rng.uniform() < 0.2 ? kMissing : rng.uniform();
    const auto buckets = detail::decimate(values, 400);
    CHECK(buckets.size() <= 400);
    std::size_t next = 0, there = 0;
    for (const auto& bucket : buckets) {
      CHECK(bucket.begin == next);
      next = bucket.end;
      there += bucket.values;
      CHECK(bucket.values + bucket.missing == bucket.end - bucket.begin);
      double least = 2, greatest = -1, sum = 0;
      for (std::size_t i = bucket.begin; i < bucket.end; ++i) {
        if (std::isnan(values[i])) continue;
        least = std::min(least, values[i]), greatest = std::max(greatest, values[i]), sum += values[i];
      }
      if (bucket.values == 0) continue;
      CHECK(bucket.least == least);
      CHECK(bucket.greatest == greatest);
      CHECK(bucket.mean == doctest::Approx(sum / static_cast<double>(bucket.values)).epsilon(1e-12));
    }
    CHECK(next == frames);
    CHECK(there ==
          static_cast<std::size_t>(std::count_if(values.begin(), values.end(), [](double v) { return !std::isnan(v); })));
  }
}

TEST_CASE("time plot: where values are missing") {
  const auto ranges = [](const std::vector<double>& values, std::size_t buckets) {
    std::string text;
    for (const auto& range : detail::missing_ranges(values, buckets))
      text += std::to_string(range.begin) + "-" + std::to_string(range.end) + " ";
    return text;
  };
  const double x = kMissing;
  CHECK(ranges({x, 1, x, x, 1, 1, x}, 10) == "0-1 2-4 6-7 ");
  CHECK(ranges({x, 1, x, x, 1, 1, x}, 4) == "0-4 6-7 ");  // two frames a bucket: a gap of one is none
  CHECK(ranges({1, 1}, 10) == "");
  CHECK(ranges({}, 10) == "");
}

TEST_CASE("time plot: a band from least to greatest where frames share a place") {
  std::vector<double> overlaps(800, 0.5);
  overlaps[1] = 1, overlaps[798] = 0, overlaps[799] = kMissing;
  const detail::TimeLine lines[] = {{overlaps, 4}};
  const std::string svg = detail::time_svg("", 800, lines, {});
  CHECK(contains(svg, "class=\"band c4\" d=\"M0 0.0H2V50.0H0Z"));
  CHECK(contains(svg, "M1.0 25.0h0L3.0 50.0"));
  CHECK(contains(svg, "L799.0 100.0\""));
  CHECK(contains(svg, "d=\"M799 0H800V100H799Z\""));
}

TEST_CASE("curves: points where they belong, gaps where there is nothing") {
  const std::vector<double> thresholds{0, 0.25, 0.5, 0.75, 1, 2}, rates{1, 0.5, kMissing, 0.25, 0, 0};
  detail::CurvePlot plot{.label = "",
                         .x_label = "x",
                         .y_label = "y",
                         .x_max = 1,
                         .x_ticks = {0, 1},
                         .x_decimals = 1,
                         .curves = {{thresholds, rates, 9}}};
  // The area is 46 to 368 across and 254 to 10 up.
  CHECK(contains(detail::curve_svg(plot), "class=\"line c3 d2\" d=\"M46.0 10.0L126.5 132.0M287.5 193.0L368.0 254.0\""));
}
