/* SPDX-License-Identifier: Apache-2.0 */
/* tasks.h - what the kernel's files say about the threads of a process. For the tracer: raw system calls only, and
 * descriptors that it may open. */
#ifndef SNAPSHOT_TASKS_H
#define SNAPSHOT_TASKS_H
#include <stdbool.h>
#include <sys/types.h>

/* tasks_list - call @use for each thread until it returns false. Return: 0 or a negative errno. */
long tasks_list(pid_t process, bool (*use)(void *argument, pid_t tid), void *argument);

/* tasks_state - the letter for what a thread does, 0 if it is gone. */
char tasks_state(pid_t process, pid_t tid);

/* tasks_bystander - a thread without registers that could hold anything: dead (the first one, while others live), or
 * one of the kernel's own. */
bool tasks_bystander(pid_t process, pid_t tid);

/* tasks_traced - has it a tracer already? */
bool tasks_traced(pid_t process, pid_t tid);

/* tasks_writing - is it in a call that, once a part is done, ends with that part when it is interrupted? Nothing goes
 * on with such a call, and many programs take it for whole. */
bool tasks_writing(pid_t process, pid_t tid);

/* tasks_yama - is Yama in force, which lets a process be traced by its ancestors and such as it names? */
bool tasks_yama(void);

#endif
