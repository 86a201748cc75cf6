/* "com.example.greeter/1": a capability that a third party defined. */
#ifndef COM_EXAMPLE_GREETER_H
#define COM_EXAMPLE_GREETER_H

#include <tenon/abi.h>

#define COM_EXAMPLE_GREETER "com.example.greeter/1"
typedef struct ComExampleGreeter {
  size_t size;
  /* `*ret` is a greeting, a string. */
  int (*greet)(void* instance, const char* whom, TnValue* ret);
  /* Appended later: may be missing. */
  int (*louder)(void* instance, const char* whom, TnValue* ret);
} ComExampleGreeter;

#endif
