#include "registry/package/key.h"

#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>

#include "diag/files.h"
#include "tenon/cxx/object.h"

namespace tenon {

namespace {

constexpr const char* kKeyHead = "tenon-key/1";
constexpr const char* kSignatureHead = "tenon-signature/1";
constexpr size_t kMostKeys = 64;

void start_sodium() {
  if (sodium_init() < 0) throw Error(TN_ERROR_INTERNAL, "libsodium does not start");
}

std::string to_hex(const unsigned char* bytes, size_t size) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < size; ++i) {
    out += digits[bytes[i] >> 4];
    out += digits[bytes[i] & 15];
  }
  return out;
}

bool is_hex(std::string_view text, size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::vector<unsigned char> from_hex(std::string_view text) {
  auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  std::vector<unsigned char> out;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<unsigned char>(digit(text[i]) << 4 | digit(text[i + 1])));
  return out;
}

// The pair of a seed; the secret half is wiped.
struct Pair {
  explicit Pair(const std::string& seed_hex) {
    start_sodium();
    std::vector<unsigned char> seed = from_hex(seed_hex);
    crypto_sign_seed_keypair(open, secret, seed.data());
    sodium_memzero(seed.data(), seed.size());
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() { sodium_memzero(secret, sizeof secret); }
  std::string sign(std::string_view bytes) const {
    unsigned char signature[crypto_sign_BYTES];
    crypto_sign_detached(signature, nullptr, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                         secret);
    return to_hex(signature, sizeof signature);
  }
  unsigned char open[crypto_sign_PUBLICKEYBYTES];
  unsigned char secret[crypto_sign_SECRETKEYBYTES];
};

bool verifies(std::string_view bytes, const std::string& signature, const std::string& public_hex) {
  start_sodium();
  return crypto_sign_verify_detached(from_hex(signature).data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                                     bytes.size(), from_hex(public_hex).data()) == 0;
}

std::string signed_lines(const Key& k) {
  return std::string(kKeyHead) + "\nvendor: " + k.vendor + "\npublic: " + k.public_hex + "\ncreated: " + k.created +
         "\nexpires: " + k.expires + "\nsuccessor: " + (k.successor.empty() ? "none" : k.successor) + "\n";
}

// Takes lines from the front of a text.
class Lines {
 public:
  Lines(std::string_view text, std::string file) : rest_(text), file_(std::move(file)) {}
  bool done() const { return rest_.empty(); }
  bool next_is(std::string_view start) const { return rest_.starts_with(start); }
  std::string line() {
    size_t end = rest_.find('\n');
    if (end == std::string_view::npos) damaged("its last line does not end");
    std::string out(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    ++number_;
    return out;
  }
  std::string field(const std::string& name) {
    std::string text = line();
    if (!text.starts_with(name + ": ")) damaged("it should say '" + name + ": ...'");
    return text.substr(name.size() + 2);
  }
  std::string hex(const std::string& name, size_t digits) {
    std::string text = field(name);
    if (!is_hex(text, digits)) damaged("'" + name + "' takes " + std::to_string(digits) + " hex digits");
    return text;
  }
  [[noreturn]] void damaged(const std::string& why) const {
    throw Error(TN_ERROR_CORRUPT, "this is no key or signature that Tenon wrote, or it was changed: " + why,
                file_ + ":" + std::to_string(number_ + 1), "get the file again from where it came");
  }

 private:
  std::string_view rest_;
  std::string file_;
  int number_ = 0;
};

Key parse_key(Lines& lines) {
  Key k;
  if (lines.line() != kKeyHead) lines.damaged(std::string("a key begins with '") + kKeyHead + "'");
  k.vendor = lines.field("vendor");
  k.public_hex = lines.hex("public", 64);
  k.created = lines.field("created");
  k.expires = lines.field("expires");
  if (!is_date(k.created) || !is_date(k.expires)) lines.damaged("a date is written as 2026-11-21");
  if (k.successor = lines.field("successor"); k.successor == "none")
    k.successor.clear();
  else if (!is_hex(k.successor, 64))
    lines.damaged("'successor' takes 64 hex digits or none");
  k.signature = lines.hex("signature", 128);
  if (lines.next_is("secret: ")) k.secret = lines.hex("secret", 64);
  if (!verifies(signed_lines(k), k.signature, k.public_hex))
    lines.damaged("the lines of key " + key_name(k.public_hex) + " do not match their signature");
  return k;
}

KeyChain parse_chain(Lines& lines) {
  KeyChain keys;
  do {
    keys.push_back(parse_key(lines));
    if (keys.size() > kMostKeys) lines.damaged("more than 64 keys");
    if (keys.size() > 1 && keys.back().successor != keys[keys.size() - 2].public_hex)
      lines.damaged("key " + key_name(keys.back().public_hex) + " does not name the one above as its successor");
  } while (!lines.done());
  return keys;
}

}  // namespace

std::string Key::text(bool with_secret) const {
  return signed_lines(*this) + "signature: " + signature + "\n" +
         (with_secret && !secret.empty() ? "secret: " + secret + "\n" : "");
}

std::string key_name(const std::string& public_hex) { return "ed25519:" + public_hex.substr(0, 16); }

std::string today_utc() {
  std::time_t now = std::time(nullptr);
  std::tm parts;
  char text[16];
  gmtime_r(&now, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return text;
}

bool is_date(std::string_view s) {
  if (s.size() != 10 || s[4] != '-' || s[7] != '-') return false;
  for (size_t i = 0; i < s.size(); ++i)
    if (i != 4 && i != 7 && (s[i] < '0' || s[i] > '9')) return false;
  std::string_view month = s.substr(5, 2), day = s.substr(8, 2);
  const bool leap = std::stoi(std::string(s.substr(0, 4))) % 4 == 0;
  const std::string_view last = month == "02"                                                      ? leap ? "29" : "28"
                                : month == "04" || month == "06" || month == "09" || month == "11" ? "30"
                                                                                                   : "31";
  return month >= "01" && month <= "12" && day >= "01" && day <= last;
}

Key make_key(const std::string& vendor, const std::string& created, const std::string& expires) {
  start_sodium();
  Key k{vendor, {}, created, expires, {}, {}, {}};
  unsigned char seed[crypto_sign_SEEDBYTES];
  randombytes_buf(seed, sizeof seed);
  k.secret = to_hex(seed, sizeof seed);
  sodium_memzero(seed, sizeof seed);
  Pair pair(k.secret);
  k.public_hex = to_hex(pair.open, sizeof pair.open);
  k.signature = pair.sign(signed_lines(k));
  return k;
}

void name_successor(Key& old_key, const Key& successor) {
  old_key.successor = successor.public_hex;
  old_key.signature = Pair(old_key.secret).sign(signed_lines(old_key));
}

KeyChain parse_keys(const std::string& text, const std::string& file) {
  Lines lines(text, file);
  return parse_chain(lines);
}

KeyChain read_keys(const std::string& file) {
  KeyChain keys = parse_keys(read_regular_file(file), file);
  struct stat status;
  if (!keys[0].secret.empty() && ::stat(file.c_str(), &status) == 0 && (status.st_mode & 077) != 0)
    throw Error(TN_ERROR_UNTRUSTED, "the private key can be read by others", file, "chmod 600 " + file);
  return keys;
}

std::string keys_text(const KeyChain& keys, bool with_secret) {
  std::string out;
  for (size_t i = 0; i < keys.size(); ++i) out += keys[i].text(with_secret && i == 0);
  return out;
}

std::string Signature::text() const {
  return std::string(kSignatureHead) + "\nkey: " + keys[0].public_hex + "\nsignature: " + bytes_hex + "\n" +
         keys_text(keys, false);
}

Signature sign_bytes(std::string_view bytes, const KeyChain& keys) {
  if (keys[0].secret.empty())
    throw Error(TN_ERROR_ARGUMENT, "key " + key_name(keys[0].public_hex) + " is a public key, which cannot sign", {},
                "give the private key file, or a signature that was made elsewhere with --detached");
  return {Pair(keys[0].secret).sign(bytes), keys};
}

Signature attach_signature(std::string_view bytes, const std::string& detached, const KeyChain& keys,
                           const std::string& file) {
  std::string hex = detached;
  while (hex.size() > 128 && (hex.back() == '\n' || hex.back() == '\r')) hex.pop_back();
  if (detached.size() == crypto_sign_BYTES)
    hex = to_hex(reinterpret_cast<const unsigned char*>(detached.data()), detached.size());
  if (!is_hex(hex, 128))
    throw Error(TN_ERROR_CORRUPT, "a detached signature is 64 bytes or 128 hex digits", file,
                "sign the bytes of seal.json");
  if (!verifies(bytes, hex, keys[0].public_hex))
    throw Error(TN_ERROR_CORRUPT,
                "the detached signature is not one of key " + key_name(keys[0].public_hex) + " over this seal", file,
                "sign the bytes of this package's seal.json with that key");
  return {hex, keys};
}

Signature check_signature(std::string_view bytes, const std::string& text, const std::string& file) {
  Lines lines(text, file);
  if (lines.line() != kSignatureHead) lines.damaged(std::string("a signature begins with '") + kSignatureHead + "'");
  std::string key = lines.hex("key", 64);
  Signature s{lines.hex("signature", 128), {}};
  s.keys = parse_chain(lines);
  if (s.keys[0].public_hex != key) lines.damaged("it is not by the key that it names");
  if (s.text() != text) lines.damaged("it holds more than a signature");
  if (!verifies(bytes, s.bytes_hex, key))
    throw Error(TN_ERROR_CORRUPT, "the signature of key " + key_name(key) + " does not belong to this seal", file,
                "the package was changed after it was signed; get it again from its vendor");
  return s;
}

}  // namespace tenon
