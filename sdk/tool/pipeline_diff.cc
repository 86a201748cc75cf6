#include "pipeline_diff.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tenon::tool {

namespace {

std::string stage_text(const Json& stage) {
  std::string text = stage["pass"].get<std::string>();
  return stage["options"].empty() ? text : text + " " + stage["options"].dump();
}

Json stage_of(const Json& stage) { return Json{{"pass", stage["pass"]}, {"options", stage["options"]}}; }

// The longest sequence of passes that both have; the rest is only on one side.
void compare_stages(const Json& a, const Json& b, Json& out) {
  size_t n = a.size(), m = b.size();
  // Pairs that are equal in their options too count more, so that of two equal passes the right one is matched.
  auto score = [&](size_t i, size_t j) -> int {
    if (a[i]["pass"] != b[j]["pass"]) return 0;
    return a[i]["options"] == b[j]["options"] ? 3 : 2;
  };
  std::vector<std::vector<int>> best(n + 1, std::vector<int>(m + 1, 0));
  for (size_t i = n; i-- > 0;)
    for (size_t j = m; j-- > 0;) {
      best[i][j] = std::max(best[i + 1][j], best[i][j + 1]);
      if (int s = score(i, j)) best[i][j] = std::max(best[i][j], best[i + 1][j + 1] + s);
    }
  size_t i = 0, j = 0;
  while (i < n || j < m) {
    int s = i < n && j < m ? score(i, j) : 0;
    if (s && best[i][j] == best[i + 1][j + 1] + s) {
      if (s < 3)
        out.push_back({{"what", "stage"}, {"number", i + 1}, {"left", stage_of(a[i])}, {"right", stage_of(b[j])}});
      ++i, ++j;
    } else if (i < n && (j == m || best[i + 1][j] >= best[i][j + 1])) {
      out.push_back({{"what", "stage"}, {"number", i + 1}, {"left", stage_of(a[i])}, {"right", nullptr}});
      ++i;
    } else {
      out.push_back({{"what", "stage"}, {"number", j + 1}, {"left", nullptr}, {"right", stage_of(b[j])}});
      ++j;
    }
  }
}

Json member(const Json& object, const std::string& key) {
  return object.is_object() && object.contains(key) ? object[key] : Json(nullptr);
}

// Each field of two maps on its own: "target.features".
void compare_fields(const std::string& what, const Json& a, const Json& b, Json& out) {
  if (a == b) return;
  if (!a.is_object() || !b.is_object()) {
    out.push_back({{"what", what}, {"left", a}, {"right", b}});
    return;
  }
  for (const auto& [key, value] : a.items()) compare_fields(what + "." + key, value, member(b, key), out);
  for (const auto& [key, value] : b.items())
    if (!a.contains(key)) compare_fields(what + "." + key, nullptr, value, out);
}

Json by_id(const Json& plugins) {
  Json out = Json::object();
  if (plugins.is_array())
    for (const Json& p : plugins) out[p["id"].get<std::string>()] = p;
  return out;
}

}  // namespace

Json differences(const Json& left, const Json& right) {
  Json out = Json::array();
  if (left.contains("lock") && right.contains("lock")) {
    for (const char* key : {"tenon", "target", "codegen", "linker"})
      compare_fields(key, member(left, key), member(right, key), out);
    Json a = by_id(left["plugins"]), b = by_id(right["plugins"]);
    for (const auto& [id, plugin] : a.items()) compare_fields("plugin " + id, plugin, member(b, id), out);
    for (const auto& [id, plugin] : b.items())
      if (!a.contains(id)) compare_fields("plugin " + id, nullptr, plugin, out);
  }
  compare_stages(left["stages"], right["stages"], out);
  return out;
}

std::string difference_text(const Json& row) {
  const Json &l = row["left"], &r = row["right"];
  if (row["what"] == "stage") {
    char number[16];
    std::snprintf(number, sizeof number, "%03d ", row["number"].get<int>());
    if (r.is_null()) return "- " + (number + stage_text(l)) + "\n";
    if (l.is_null()) return "+ " + (number + stage_text(r)) + "\n";
    std::string changes;
    Json fields = Json::array();
    compare_fields("", l["options"], r["options"], fields);
    for (const Json& f : fields)
      changes += (changes.empty() ? "" : ", ") + f["what"].get<std::string>().substr(1) + " " + f["left"].dump() +
                 " -> " + f["right"].dump();
    return "~ " + (number + l["pass"].get<std::string>()) + ": " + changes + "\n";
  }
  std::string what = row["what"].get<std::string>();
  if (what.starts_with("plugin ") && (l.is_null() || r.is_null()) && (l.is_object() || r.is_object())) {
    const Json& p = l.is_null() ? r : l;
    return (l.is_null() ? "+ " : "- ") + what + " " + p.value("version", "") + "\n";
  }
  return "~ " + what + ": " + l.dump() + " -> " + r.dump() + "\n";
}

}  // namespace tenon::tool
