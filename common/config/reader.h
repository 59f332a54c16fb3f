// One parsed TOML table into one message. Internal to common/config: the only header that shows
// toml++. Thread safety: confined to the call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "common/config/load.h"
#include "common/config/schema.h"

namespace tutti::config {

// Where a value came from and how its problems are shown.
struct Place {
  Source source = Source::kFile;
  std::string where{};   // file or variable
  std::string folder{};  // absolute; where relative paths start
};

class Reader {
 public:
  Reader(Place place, const Descriptor& root, LoadResult& result)
      : place_(std::move(place)), root_(root), result_(result) {}

  // Everything in `table`, recursively. `key` is the section's full name, empty at the top.
  void ReadTable(const toml::table& table, Message& message, const std::string& key);
  // One key; `node` may be a list.
  void ReadField(const toml::node& node, Message& message, const FieldDescriptor& field,
                 const std::string& key);
  void ReadText(std::string value, const toml::source_region& at, Message& message,
                const FieldDescriptor& field, const std::string& key);
  void Report(const std::string& key, const toml::source_region& at, std::string text);

 private:
  void ReadUnknown(const toml::key& name, const Descriptor& schema, const std::string& section);
  void ReadSections(const toml::node& node, Message& message, const FieldDescriptor& field,
                    const std::string& key);
  void ReadList(const toml::node& node, Message& message, const FieldDescriptor& field,
                const std::string& key);
  void ReadScalar(const toml::node& node, Message& message, const FieldDescriptor& field,
                  const std::string& key);
  void ReadWhole(const toml::node& node, Message& message, const FieldDescriptor& field,
                 const std::string& key);
  void ReadNumber(const toml::node& node, Message& message, const FieldDescriptor& field,
                  const std::string& key);
  void Mismatch(const toml::node& node, const FieldDescriptor& field, const std::string& key);
  void Record(const std::string& key, const toml::source_region& at);

  Place place_;
  const Descriptor& root_;
  LoadResult& result_;
};

// What a TOML value is, in words: `the text "10"`, "the number 1.5", "a list".
std::string Found(const toml::node& node);

}  // namespace tutti::config
