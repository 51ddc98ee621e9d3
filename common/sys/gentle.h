/*
 * gentle.h - a process that lets others go first: lowest processor priority, idle disk priority.
 *
 * For checks on a machine that has other work. The disk priority is a wish: not
 * every scheduler of the kernel knows it. Cannot fail; what the system refuses
 * is left as it was.
 */
#ifndef COMMON_SYS_GENTLE_H
#define COMMON_SYS_GENTLE_H

void process_gentle(void);

#endif
