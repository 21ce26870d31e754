/* A plugin for qemu-user (API version 1, QEMU 7.2): counts the guest's instructions by class between calls of getppid(2).
 *
 * Each getppid() ends a region and prints one line to stderr: "COUNT <region> <class>=<n> ...".
 * The classes tell which kernels ran: sdot/udot is there from Cortex-A76 on, smlal/smull is what int8 uses without it.
 * Encodings: Arm Architecture Reference Manual for A-profile, C4.1 (A64 instruction set encoding). */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define GETPPID_AARCH64 173

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*tb_callback)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*syscall_callback)(qemu_plugin_id_t, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                                 uint64_t, uint64_t, uint64_t);

EXPORT int qemu_plugin_version = 1;
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, tb_callback);
extern void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, syscall_callback);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *, int, void *, uint64_t);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);

enum { ALL, DOT, MMLA, FMLA, FMLA_HALF, WIDENING, LOAD_STORE, CLASSES };
static const char *const NAMES[CLASSES] = {"all", "dot", "mmla", "fmla", "fmla_half", "widening", "load_store"};
static volatile uint64_t counts[CLASSES], before[CLASSES];
static int region;

static int class_of(uint32_t i) {
  if ((i & 0x9FE0FC00) == 0x0E809400 || (i & 0x9FC0F400) == 0x0F80E000) return DOT;
  if ((i & 0xDFE0F400) == 0x4E80A400) return MMLA;
  if ((i & 0xBFA0FC00) == 0x0E20CC00 || (i & 0xBF80F400) == 0x0F801000 || (i & 0xFF208000) == 0x1F000000) return FMLA;
  if ((i & 0xBFE0FC00) == 0x0E400C00 || (i & 0xBFC0F400) == 0x0F001000) return FMLA_HALF;
  if ((i & 0x9F20FC00) == 0x0E208000 || (i & 0x9F20FC00) == 0x0E20C000 || (i & 0x9F00F400) == 0x0F002000 ||
      (i & 0x9F00F400) == 0x0F00A000)
    return WIDENING;
  if ((i & 0x0A000000) == 0x08000000) return LOAD_STORE;
  return ALL;
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  (void)id;
  for (size_t k = 0; k < qemu_plugin_tb_n_insns(block); k++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, k);
    uint32_t word;
    memcpy(&word, qemu_plugin_insn_data(insn), sizeof word);
    qemu_plugin_register_vcpu_insn_exec_inline(insn, 0 /* add */, (void *)&counts[ALL], 1);
    int class = class_of(word);
    if (class != ALL) qemu_plugin_register_vcpu_insn_exec_inline(insn, 0, (void *)&counts[class], 1);
  }
}

static void on_syscall(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                       uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
  (void)id, (void)cpu, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
  if (number != GETPPID_AARCH64) return;
  char line[400];
  int used = snprintf(line, sizeof line, "COUNT %d", region++);
  for (int k = 0; k < CLASSES; k++) {
    used += snprintf(line + used, sizeof line - used, " %s=%" PRIu64, NAMES[k], counts[k] - before[k]);
    before[k] = counts[k];
  }
  fprintf(stderr, "%s\n", line);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  (void)info, (void)argc, (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
  qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
  return 0;
}
