// Calling a capability of another plugin, so that what goes wrong there is that plugin's:
//
//   Value made = call_provider<&ComVendorThing::tune>(provider, "the tuner of 'x'", 3);
#ifndef TENON_SDK_PROVIDER_CALL_H
#define TENON_SDK_PROVIDER_CALL_H

#include <tenon/plugin.h>

namespace tenon {

// The value of a slot of `provider`, or its error behind `lead`. An error that says not what to do, and is a bug of the
// provider, names it in the hint; an exception that escapes from the slot is such a bug, as is an error without words.
template <auto slot, class Table, class... Args>
Value call_provider(const Provider<Table>& provider, const std::string& lead, Args... args) {
  const std::string bug = "this is a bug of the plugin '" + provider.plugin() + "'";
  try {
    Value made = provider.open().template call<slot>(args...);
    if (made.type_index() != TN_ERROR) return made;
    throw Error(TN_ERROR_PLUGIN, "it did not fail and returned an error");
  } catch (const Error& e) {
    const bool known = e.code > TN_ERROR_INTERNAL && e.code <= TN_ERROR_UNTRUSTED;
    const bool broke = !known || e.code == TN_ERROR_PLUGIN || e.message.empty();
    throw Error(known ? e.code : int32_t{TN_ERROR_PLUGIN},
                lead + ": " + (e.message.empty() ? "it failed and does not say why" : e.message), e.where,
                broke && e.hint.empty() ? bug : e.hint);
  } catch (const std::bad_alloc&) { throw; } catch (const std::exception& e) {
    throw Error(TN_ERROR_PLUGIN, lead + ": let an exception escape: " + e.what(), {}, bug);
  } catch (...) { throw Error(TN_ERROR_PLUGIN, lead + ": let an exception escape", {}, bug); }
}

}  // namespace tenon
#endif
