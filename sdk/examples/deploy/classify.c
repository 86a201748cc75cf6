/* Runs a compiled classifier from C: opens the artifact, calls `main` on images and prints the class of each.
 *
 *   tenon compile ../digits/digits.onnx -o digits.so
 *   classify digits.so 8 8 < images.f32       (float32 images of 1 x 8 x 8, one after another)
 */
#include <stdio.h>
#include <stdlib.h>
#include <tenon/runtime.h>

/* Every failing call leaves an error object in the value that would be its result. */
static int fail(TnValue* error) {
  const TnError* e = (const TnError*)error->as.object;
  fprintf(stderr, "classify: %s\n", e->message);
  if (e->hint && *e->hint) fprintf(stderr, "  hint: %s\n", e->hint);
  tn_value_release(error);
  return 1;
}

static TnFunction* find_function(const TnValue* opened, const char* name) {
  const TnValue* functions = tn_map_find(opened, "functions");
  const TnValue* function = functions ? tn_map_find(functions, name) : NULL;
  return function ? (TnFunction*)function->as.object : NULL;
}

static float* read_all(FILE* in, size_t* count) {
  float* data = NULL;
  size_t room = 0, read;
  *count = 0;
  do {
    room += 1 << 16;
    float* grown = realloc(data, room * sizeof *data);
    if (!grown) abort();
    data = grown;
    read = fread(data + *count, sizeof *data, room - *count, in);
    *count += read;
  } while (read);
  return data;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: classify ARTIFACT.so HEIGHT WIDTH < IMAGES\n");
    return 2;
  }
  const TnRuntime* rt = tn_runtime();
  TnValue opened, result;
  if (rt->artifact_open(argv[1], NULL, 0, &opened)) return fail(&opened);
  TnFunction* classify = find_function(&opened, "main");
  if (!classify) {
    fprintf(stderr, "classify: %s has no function main\n", argv[1]);
    return 1;
  }
  size_t count;
  float* images = read_all(stdin, &count);
  int64_t height = atoll(argv[2]), width = atoll(argv[3]);
  int64_t shape[] = {0, 1, height, width};
  if (height < 1 || width < 1) return 2;
  shape[0] = (int64_t)count / (height * width);
  /* The image tensor is described in place: nothing is copied. Contiguous, so strides are null. */
  DLTensor tensor = {images, {kDLCPU, 0}, 4, {kDLFloat, 32, 1}, shape, NULL, 0};
  TnValue argument = {TN_DLTENSOR, 0, {0}};
  argument.as.p = &tensor;
  int status = 0;
  if (classify->call(classify, &argument, 1, &result)) {
    status = fail(&result);
  } else {
    const DLTensor* scores = &((const TnTensor*)result.as.object)->tensor;
    const float* row = (const float*)scores->data;
    for (int64_t i = 0; i < scores->shape[0]; ++i, row += scores->shape[1]) {
      int64_t best = 0;
      for (int64_t c = 1; c < scores->shape[1]; ++c)
        if (row[c] > row[best]) best = c;
      printf("%lld\n", (long long)best);
    }
    tn_value_release(&result);
  }
  tn_value_release(&opened);
  free(images);
  return status;
}
