/* child_seccomp.c — System calls that no plugin needs: those that change the machine, look into
 * other processes, or lead around the filter. They fail with EPERM, so that a library can do
 * without. */
#include "worker/host/child_int.h"

#include "base/own.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#endif

static const uint16_t denied[] = {
    /* Other processes. */
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_process_madvise,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_bpf,
    /* Mounts and namespaces. */
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_setns,
    SYS_unshare,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsmount,
    SYS_fsconfig,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_open_by_handle_at,
    SYS_fanotify_init,
    /* The machine. */
    SYS_reboot,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_syslog,
    SYS_vhangup,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_setdomainname,
#if defined(__x86_64__)
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
    /* Keys of the session; and what does the work of other calls unseen. */
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
};

enum { INSTRUCTIONS_MAX = 32 + sizeof denied / sizeof *denied };

struct program {
    struct sock_filter code[INSTRUCTIONS_MAX];
    unsigned short len;
};

static void add(struct program *program, struct sock_filter instruction)
{
    program->code[program->len++] = instruction;
}

static void load(struct program *program, size_t offset)
{
    add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* When the loaded word is (jump BPF_JEQ) or has bits of (BPF_JSET) `value`: the answer. */
static void answer_if(struct program *program, uint16_t jump, uint32_t value, uint32_t answer)
{
    add(program, (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | BPF_K) | jump, value, 0, 1));
    add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

bool child_deny_syscalls(void)
{
#ifdef OWN_ARCH
    static const uint32_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    static struct program program;
    const uint32_t allow = SECCOMP_RET_ALLOW;
    program.len = 0;
    load(&program, offsetof(struct seccomp_data, arch));
    add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0));
    add(&program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    load(&program, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
    answer_if(&program, BPF_JSET, 0x40000000u, SECCOMP_RET_ERRNO | ENOSYS); /* x32. */
#endif
    /* Its flags are in memory, out of sight: the C library then takes clone(). */
    answer_if(&program, BPF_JEQ, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
    size_t first = program.len;
    for (size_t i = 0; i < BT_COUNT(denied); i++) {
        uint8_t to_end = (uint8_t)(BT_COUNT(denied) - i);
        add(&program,
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, denied[i], to_end, 0));
    }
    add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0));
    add(&program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
    assert(program.len == first + BT_COUNT(denied) + 2);
    add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0));
    add(&program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, allow));
    load(&program, offsetof(struct seccomp_data, args[0])); /* The flags are in the lower half. */
    answer_if(&program, BPF_JSET, spaces, SECCOMP_RET_ERRNO | EPERM);
    add(&program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, allow));
    struct sock_fprog filter = {.len = program.len, .filter = program.code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
#else
    return false;
#endif
}
