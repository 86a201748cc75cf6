# A file as the initialiser of an array of bytes: cmake -DFROM=file -DTO=file -P TenonEmbed.cmake
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${TO} "${bytes}\n")
