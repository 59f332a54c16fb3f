// Where a contradiction is reported, shared by the rules of all schemas. Internal to common/config.
// Thread safety: confined to the call.
#pragma once

#include <initializer_list>
#include <string>

#include "common/config/load.h"

namespace tutti::config {

class Rules {
 public:
  explicit Rules(LoadResult& result) : result_(result), known_(result.problems.size()) {}
  ~Rules() { Sort(result_.problems); }
  Rules(const Rules&) = delete;
  Rules& operator=(const Rules&) = delete;

  // A problem of the first of `keys`, placed at the first one that was set by someone. Nothing when
  // one of them already has a problem of its own.
  void Add(std::initializer_list<std::string> keys, std::string text);

  // Whether the file, the environment or the command line set the key or section.
  bool IsSet(const std::string& key) const { return result_.origins.count(key) > 0; }

  // The first key of the section, or the section itself, that IsSet; empty: none.
  std::string FirstSet(std::string_view section) const;

  // Whether no problem was found so far in any of the sections, by the schema or by a rule.
  bool Sound(std::initializer_list<std::string_view> sections) const;

  // A problem when the key does not hold a host:port.
  void CheckHostPort(const std::string& key, const std::string& value);

 private:
  bool Clean(const std::string& key) const;

  LoadResult& result_;
  std::size_t known_;  // problems before the rules: those of the schema
};

}  // namespace tutti::config
