// JSON (nlohmann's), compiled once where a program asks for that.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "detrack/core/instantiate.hpp"

DETRACK_INSTANTIATE(class nlohmann::basic_json<>)
DETRACK_INSTANTIATE(nlohmann::json nlohmann::json::parse(std::string&, nlohmann::json::parser_callback_t, bool, bool))
DETRACK_INSTANTIATE(nlohmann::json nlohmann::json::parse(std::string&&, nlohmann::json::parser_callback_t, bool, bool))
DETRACK_INSTANTIATE(nlohmann::json nlohmann::json::parse(const std::string&, nlohmann::json::parser_callback_t, bool, bool))
DETRACK_INSTANTIATE(nlohmann::json nlohmann::json::parse(const char*, const char*, nlohmann::json::parser_callback_t, bool, bool))
DETRACK_INSTANTIATE(class nlohmann::basic_json<nlohmann::ordered_map>)
DETRACK_INSTANTIATE(nlohmann::ordered_json nlohmann::ordered_json::parse(std::string&&, nlohmann::ordered_json::parser_callback_t,
                                                                         bool, bool))
