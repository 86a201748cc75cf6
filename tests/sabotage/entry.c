/* The object that the code generator hands over where it does no harm. */
int sabotage_entry(void* self, const void* args, int n, void* ret);
int sabotage_entry(void* self, const void* args, int n, void* ret) { return self && args && n && ret ? 0 : 0; }
