#include "server/simulate/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "common/base/text.h"

namespace tutti::simulate {
namespace {

constexpr double kWidth = 960;
constexpr double kHeight = 640;
constexpr const char* kBlue = "#1f6fb4";
constexpr const char* kOrange = "#d1670f";
constexpr const char* kGreen = "#2e8540";

struct Series {
  std::string name;
  const char* colour;
  std::vector<std::pair<double, double>> points;
};

struct Panel {
  std::string x_title;
  std::string y_title;
  double left, top, width, height;
  std::vector<Series> series;
  bool fraction = false;  // the y axis is a share, written in per cent
};

std::string Fixed(double value, int digits) {
  char buffer[512];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

// A number on an axis whose ticks are `step` apart.
std::string Label(double value, double step) {
  return Fixed(value, std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6));
}

std::string Quoted(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    quoted += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  }
  return quoted;
}

// 1, 2 or 5 times a power of ten, so that about `count` of them make up the range.
double StepFor(double range, double count) {
  const double raw = range / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double digit = raw / power;
  return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

struct Axis {
  double low = 0, high = 1, step = 0.2;
};

Axis AxisOf(double low, double high, double count) {
  if (!(high > low)) {
    low -= 0.5;
    high += 0.5;
  }
  Axis axis;
  axis.step = StepFor(high - low, count);
  axis.low = std::floor(low / axis.step + 1e-9) * axis.step;
  axis.high = std::ceil(high / axis.step - 1e-9) * axis.step;
  return axis;
}

std::string TextAt(double x, double y, const std::string& text, const std::string& attributes) {
  return Join("<text x=\"", Fixed(x, 1), "\" y=\"", Fixed(y, 1), "\" ", attributes, ">",
              Quoted(text), "</text>\n");
}

std::string Line(double x1, double y1, double x2, double y2, const char* colour) {
  return Join("<line x1=\"", Fixed(x1, 1), "\" y1=\"", Fixed(y1, 1), "\" x2=\"", Fixed(x2, 1),
              "\" y2=\"", Fixed(y2, 1), "\" stroke=\"", colour, "\"/>\n");
}

class Drawing {
 public:
  explicit Drawing(const Panel& panel) : panel_(panel) {
    double left = std::numeric_limits<double>::max(), right = -left, low = left, high = -left;
    for (const Series& series : panel.series) {
      for (const auto& [x, y] : series.points) {
        left = std::min(left, x);
        right = std::max(right, x);
        low = std::min(low, y);
        high = std::max(high, y);
      }
    }
    any_ = left <= right;
    x_ = AxisOf(0, any_ ? right : 1, 6);
    x_.high = any_ ? std::max(right, x_.step) : 1;  // the curve ends at the frame
    y_ = AxisOf(any_ ? low : 0, any_ ? high : 1, 5);
    if (panel.fraction) {
      y_.high = std::min(y_.high, 1.0);
      y_.low = std::max(y_.low, 0.0);
    }
  }

  std::string Text() const {
    std::string text = Grid();
    for (const Series& series : panel_.series) {
      text += Curve(series);
    }
    text += TextAt(panel_.left + panel_.width / 2, panel_.top + panel_.height + 40, panel_.x_title,
                   "text-anchor=\"middle\" fill=\"#444\"");
    text += TextAt(panel_.left, panel_.top - 12, panel_.y_title, "font-weight=\"bold\"");
    return text + Legend();
  }

 private:
  double X(double value) const {
    return panel_.left + (value - x_.low) / (x_.high - x_.low) * panel_.width;
  }
  double Y(double value) const {
    return panel_.top + panel_.height - (value - y_.low) / (y_.high - y_.low) * panel_.height;
  }

  std::string Grid() const {
    std::string text =
        Join("<rect x=\"", panel_.left, "\" y=\"", panel_.top, "\" width=\"", panel_.width,
             "\" height=\"", panel_.height, "\" fill=\"#fafafa\" stroke=\"#ccc\"/>\n");
    for (double y = y_.low; y <= y_.high + y_.step * 1e-6; y += y_.step) {
      text += Line(panel_.left, Y(y), panel_.left + panel_.width, Y(y), "#e4e4e4");
      const std::string label =
          panel_.fraction ? Label(100 * y, 100 * y_.step) + " %" : Label(y, y_.step);
      text += TextAt(panel_.left - 8, Y(y) + 4, label, "text-anchor=\"end\" fill=\"#444\"");
    }
    for (double x = x_.low; x <= x_.high + x_.step * 1e-6; x += x_.step) {
      text += Line(X(x), panel_.top + panel_.height, X(x), panel_.top + panel_.height + 5, "#999");
      text += TextAt(X(x), panel_.top + panel_.height + 20, Label(x, x_.step),
                     "text-anchor=\"middle\" fill=\"#444\"");
    }
    return text;
  }

  std::string Curve(const Series& series) const {
    std::string text = Join("<polyline fill=\"none\" stroke=\"", series.colour,
                            "\" stroke-width=\"2\" stroke-linejoin=\"round\" points=\"");
    for (const auto& [x, y] : series.points) {
      text += Join(Fixed(X(x), 1), ",", Fixed(Y(y), 1), " ");
    }
    text += "\"/>\n";
    // Dots while there is room for them.
    if (series.points.size() <= 60) {
      for (const auto& [x, y] : series.points) {
        text += Join("<circle cx=\"", Fixed(X(x), 1), "\" cy=\"", Fixed(Y(y), 1),
                     "\" r=\"2.5\" fill=\"", series.colour, "\"/>\n");
      }
    }
    return text;
  }

  std::string Legend() const {
    std::string text;
    double right = panel_.left + panel_.width;
    for (auto series = panel_.series.rbegin();
         panel_.series.size() > 1 && series != panel_.series.rend(); ++series) {
      text += TextAt(right, panel_.top - 12, series->name,
                     Join("text-anchor=\"end\" fill=\"", series->colour, "\""));
      right -= 8 * static_cast<double>(series->name.size()) + 16;
    }
    return text;
  }

  const Panel& panel_;
  Axis x_, y_;
  bool any_ = false;
};

Series Points(const std::string& name, const char* colour, const Report& report,
              const std::function<double(const RoundReport&)>& x,
              const std::function<std::optional<double>(const RoundReport&)>& y) {
  Series series{name, colour, {}};
  for (const RoundReport& round : report.rounds) {
    if (const std::optional<double> value = y(round); value && std::isfinite(*value)) {
      series.points.emplace_back(x(round), *value);
    }
  }
  return series;
}

std::vector<Panel> PanelsOf(const Report& report) {
  const auto round = [](const RoundReport& one) { return static_cast<double>(one.round); };
  const double end = report.rounds.empty() ? 0 : report.rounds.back().clock_seconds;
  const bool hours = end >= 2 * 3600;
  const double unit = hours ? 3600 : end >= 180 ? 60 : 1;
  const std::string clock = Join("virtual time, ", hours        ? "hours"
                                                   : end >= 180 ? "minutes"
                                                                : "seconds");
  const auto time = [unit](const RoundReport& one) { return one.clock_seconds / unit; };
  const auto accuracy = [](const RoundReport& one) { return one.test_accuracy; };
  const auto test_loss = [](const RoundReport& one) { return one.test_loss; };
  const auto train_loss = [](const RoundReport& one) { return std::optional(one.train_loss); };
  // A model may be measured against an adversary, or for a backdoor.
  const auto shares = [&](const auto& x) {
    std::vector<Series> series{Points("accuracy", kBlue, report, x, accuracy)};
    for (Series& more :
         std::vector<Series>{Points("robust", kGreen, report, x,
                                    [](const RoundReport& one) { return one.robust_accuracy; }),
                             Points("backdoor", kOrange, report, x,
                                    [](const RoundReport& one) { return one.backdoor_success; })}) {
      if (!more.points.empty()) series.push_back(std::move(more));
    }
    return series;
  };
  const auto panel = [](const std::string& x, const std::string& y, double left, double top,
                        double height, std::vector<Series> series, bool fraction) {
    return Panel{x, y, left, top, 370, height, std::move(series), fraction};
  };
  // Models that predict numbers have no accuracy: then the losses take the whole picture.
  const bool numbers =
      std::any_of(report.rounds.begin(), report.rounds.end(),
                  [](const RoundReport& one) { return one.test_loss.has_value(); }) &&
      std::none_of(report.rounds.begin(), report.rounds.end(),
                   [](const RoundReport& one) { return one.test_accuracy.has_value(); });
  std::vector<Panel> panels;
  if (!numbers) {
    panels = {panel("rounds", "Test accuracy", 80, 90, 200, shares(round), true),
              panel(clock, "Test accuracy", 550, 90, 200, shares(time), true)};
  }
  const double top = numbers ? 90 : 380, height = numbers ? 490 : 200;
  panels.push_back(panel("rounds", "Loss", 80, top, height,
                         {Points("clients'", kOrange, report, round, train_loss),
                          Points("test", kBlue, report, round, test_loss)},
                         false));
  panels.push_back(panel(clock, "Loss", 550, top, height,
                         {Points("clients'", kOrange, report, time, train_loss),
                          Points("test", kBlue, report, time, test_loss)},
                         false));
  return panels;
}

}  // namespace

std::string ToSvg(const std::string& title, const Report& report) {
  std::string text = Join("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", kWidth,
                          "\" height=\"", kHeight, "\" viewBox=\"0 0 ", kWidth, " ", kHeight,
                          "\" font-family=\"sans-serif\" font-size=\"13\">\n"
                          "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
  text += TextAt(80, 40, title, "font-size=\"18\" font-weight=\"bold\"");
  for (const Panel& panel : PanelsOf(report)) {
    text += Drawing(panel).Text();
  }
  return text + "</svg>\n";
}

}  // namespace tutti::simulate
