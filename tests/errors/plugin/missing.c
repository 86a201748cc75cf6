/* What the plugin needs-library cannot find. */
__attribute__((visibility("default"))) int only_in_a_library(void);
int only_in_a_library(void) { return 0; }
