#include <stdio.h>
#include <tenon/c_plugin.h>
#include <tenon/ext/frontend.h>

/* Reads "input NAME EXTENT ..." and "NAME OPERATOR NAME ..." (the last line is the result), and writes the module as text,
 * which the host parses and checks. */
typedef struct Text {
  char* data;
  size_t size, capacity;
} Text;

static void put(Text* t, const char* data, size_t n) {
  if (t->size + n > t->capacity) n = t->capacity - t->size; /* the capacity fits every legal model */
  memcpy(t->data + t->size, data, n);
  t->size += n;
}
static void puts_to(Text* t, const char* s) { put(t, s, strlen(s)); }

static int is_name(const char* s, size_t n) {
  for (size_t i = 0; i < n; ++i)
    if (!(s[i] == '_' || (s[i] >= 'a' && s[i] <= 'z') || (i > 0 && s[i] >= '0' && s[i] <= '9'))) return 0;
  return n > 0 && n < 64;
}
static int is_extent(const char* s, size_t n) {
  for (size_t i = 0; i < n; ++i)
    if (s[i] < '0' || s[i] > '9') return 0;
  return n > 0 && n < 7 && s[0] != '0';
}

/* One line of the model; 0 when it makes no sense. */
static int read_line(const char* p, const char* end, Text* head, Text* body, Text* result) {
  const char* words[10];
  size_t sizes[10], n = 0;
  while (p < end) {
    while (p < end && *p == ' ') ++p;
    const char* start = p;
    while (p < end && *p != ' ') ++p;
    if (p > start && n == 10) return 0;
    if (p > start) words[n] = start, sizes[n++] = (size_t)(p - start);
  }
  if (n < 2) return 0;
  const int is_input = sizes[0] == 5 && memcmp(words[0], "input", 5) == 0;
  const size_t name = is_input ? 1 : 0;
  for (size_t i = 0; i < n; ++i)
    if (is_input && i > 1 ? !is_extent(words[i], sizes[i]) : !is_name(words[i], sizes[i])) return 0;
  puts_to(is_input ? head : body, is_input ? (head->size ? ", " : "") : "    ");
  put(is_input ? head : body, words[name], sizes[name]);
  puts_to(is_input ? head : body, is_input ? ": R.Tensor((" : " = R.");
  if (!is_input) put(body, words[1], sizes[1]), puts_to(body, "(");
  for (size_t i = 2; i < n; ++i) put(is_input ? head : body, words[i], sizes[i]), puts_to(is_input ? head : body, ", ");
  puts_to(is_input ? head : body, is_input ? "), \"float32\")" : ")\n");
  result->size = 0;
  put(result, words[name], sizes[name]);
  return 1;
}

static int import_model(void* instance, const TnContext* context, const TnModelSource* source, const TnValue* options,
                        TnValue* ret) {
  const TnInstance* self = (const TnInstance*)instance;
  (void)context, (void)options;
  if (source->data_size == 0 || source->data_size > 1 << 20)
    return self->runtime->error(TN_ERROR_CORRUPT, "the model is empty, or too large", source->name, NULL, NULL, ret);
  const size_t capacity = 16 * source->data_size + 256;
  Text all = {malloc(4 * capacity), 0, capacity};
  if (!all.data) return self->runtime->error(TN_ERROR_OUT_OF_MEMORY, "out of memory", source->name, NULL, NULL, ret);
  Text head = {all.data + capacity, 0, capacity}, body = {head.data + capacity, 0, capacity},
       result = {body.data + capacity, 0, capacity};
  const char *p = source->data, *end = p + source->data_size;
  int status = 0;
  while (p < end && status == 0) {
    const char* newline = memchr(p, '\n', (size_t)(end - p));
    const char* stop = newline ? newline : end;
    if (!read_line(p, stop, &head, &body, &result))
      status = self->runtime->error(TN_ERROR_CORRUPT,
                                    "a line is neither 'input NAME EXTENT ...' nor 'NAME OPERATOR NAME ...'",
                                    source->name, "see the plugin's documentation", NULL, ret);
    p = stop + 1;
  }
  if (status == 0) {
    puts_to(&all, "@R.function\ndef main(");
    put(&all, head.data, head.size);
    puts_to(&all, "):\n");
    put(&all, body.data, body.size);
    puts_to(&all, "    return ");
    put(&all, result.data, result.size);
    puts_to(&all, "\n");
    status = self->ir->parse(self->ir->self, all.data, all.size, source->name, ret);
  }
  free(all.data);
  return status;
}

static const TnFrontend frontend_table = TENON_TABLE(TnFrontend, &import_model);
TENON_C_PLUGIN({TN_FRONTEND, &frontend_table})
