/* The object that the code generator hands over. */
static const int ten[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
static const int* const table[2] = {ten, ten + 5};
int answers_entry(void* self, const void* args, int n, void* ret);
int answers_entry(void* self, const void* args, int n, void* ret) {
  return self && args && ret ? table[n & 1][n & 3] & 0 : 0;
}
