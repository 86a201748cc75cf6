// Ed25519 keys of vendors: key files, and signatures over the bytes of a seal.
//
// A public key file is a block of lines in this order, each ended by a newline:
//   tenon-key/1
//   vendor: Acme Accelerators
//   public: 64 hex digits
//   created: 2026-11-21
//   expires: 2028-11-20
//   successor: 64 hex digits, or none
//   signature: 128 hex digits, by this key, over the bytes of the lines above
// A private key file has one more line in its first block, `secret: 64 hex digits` (the seed). Blocks that follow are
// the keys that went before, newest first, each naming the next newer as its successor.
#ifndef TENON_REGISTRY_PACKAGE_KEY_H
#define TENON_REGISTRY_PACKAGE_KEY_H

#include <string>
#include <string_view>
#include <vector>

namespace tenon {

struct Key {
  std::string vendor, public_hex, created, expires;
  std::string successor;  // "" for none
  std::string signature;
  std::string secret;  // the seed in hex; "" in a public key

  bool expired(const std::string& today) const { return expires < today; }
  std::string text(bool with_secret) const;
};

// A key and those before it, newest first.
using KeyChain = std::vector<Key>;

// "ed25519:" and the first 16 hex digits, as people see it.
std::string key_name(const std::string& public_hex);
std::string today_utc();  // "2026-11-21"
bool is_date(std::string_view text);

Key make_key(const std::string& vendor, const std::string& created, const std::string& expires);
// The old key's file says who follows it.
void name_successor(Key& old_key, const Key& successor);

// Throws TN_ERROR_CORRUPT when the text is not exactly in the form above, or a signature over its lines is wrong.
KeyChain parse_keys(const std::string& text, const std::string& file);
KeyChain read_keys(const std::string& file);
std::string keys_text(const KeyChain& keys, bool with_secret);

// A package's signature: the key's name, the signature, and the key with those before it.
struct Signature {
  std::string bytes_hex;
  KeyChain keys;
  std::string text() const;
};
Signature sign_bytes(std::string_view bytes, const KeyChain& keys);
// A signature that was made elsewhere: 64 bytes, or 128 hex digits.
Signature attach_signature(std::string_view bytes, const std::string& detached, const KeyChain& keys,
                           const std::string& file);
// Throws TN_ERROR_CORRUPT when the text is damaged or does not sign these bytes.
Signature check_signature(std::string_view bytes, const std::string& text, const std::string& file);

}  // namespace tenon
#endif
