// As much of XML as S3 answers with: elements and text. No doctype, so nothing can be expanded.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tusk::objects {

struct Xml {
  std::string name;
  std::string text;  // of the element itself, not of its children
  std::vector<Xml> children;

  const Xml* child(std::string_view name) const;
  // Text of a child; empty when there is none.
  std::string text_of(std::string_view name) const;
};

// Empty: not well-formed, or more than we read.
std::optional<Xml> parse_xml(std::string_view text);
std::string xml_escaped(std::string_view text);

}  // namespace tusk::objects
