/* blueprints.S — The flows of blueprints/, one behind the other, each with its name before it and a
 * NUL behind both. An empty name ends them. */
    .section .rodata
    .global bt_blueprints
    .hidden bt_blueprints
    .macro blueprint name
    .asciz "\name"
    .incbin "blueprints/\name\().yml"
    .byte 0
    .endm
bt_blueprints:
    blueprint conditional-steps
    blueprint csv-to-sqlite
    blueprint download-and-transform
    blueprint hello-world
    blueprint http-request
    blueprint key-value-state
    blueprint loop-over-values
    blueprint map-reduce
    blueprint parallel-tasks
    blueprint python-outputs
    blueprint retries-and-errors
    blueprint service-check
    blueprint shell-files
    .byte 0
    .section .note.GNU-stack,"",%progbits
