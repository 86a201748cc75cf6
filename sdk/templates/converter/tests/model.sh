# Writes an ONNX model of one node, Swish of the domain @ID@, on a float32 tensor of 4x5. ONNX is protobuf: a field is a
# number with an integer (n), or with a length and that many bytes (m), which may be fields again.
LC_ALL=C
byte() { printf "\\$(printf %03o "$1")"; }
n() { byte $(($1 * 8)); byte "$2"; }
m() {
  byte $(($1 * 8 + 2))
  if [ ${#2} -gt 127 ]; then byte $((${#2} % 128 + 128)); byte $((${#2} / 128)); else byte ${#2}; fi
  printf %s "$2"
}
type() { m 2 "$(m 1 "$(n 1 1; m 2 "$(m 1 "$(n 1 4)"; m 1 "$(n 1 5)")")")"; }
node=$(m 1 x; m 2 y; m 4 Swish; m 7 @ID@)
n 1 8
m 7 "$(m 1 "$node"; m 2 main; m 11 "$(m 1 x; type)"; m 12 "$(m 1 y; type)")"
m 8 "$(m 1 @ID@; n 2 1)"
