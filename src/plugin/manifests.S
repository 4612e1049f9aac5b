/* manifests.S — The manifests of the built-in plugins, as they stand in plugins/. */
    .section .rodata
    .balign 16
    .globl bt_manifest_core
    .globl bt_manifest_core_end
    .hidden bt_manifest_core
    .hidden bt_manifest_core_end
bt_manifest_core:
    .incbin "plugins/core/plugin.json"
bt_manifest_core_end:
    .balign 16
    .globl bt_manifest_script
    .globl bt_manifest_script_end
    .hidden bt_manifest_script
    .hidden bt_manifest_script_end
bt_manifest_script:
    .incbin "plugins/script/plugin.json"
bt_manifest_script_end:
    .balign 16
    .globl bt_manifest_storage
    .globl bt_manifest_storage_end
    .hidden bt_manifest_storage
    .hidden bt_manifest_storage_end
bt_manifest_storage:
    .incbin "plugins/storage/plugin.json"
bt_manifest_storage_end:
    .byte 0
    /* The header that `baton plugin new` gives to a plugin in C. */
    .globl bt_plugin_header
    .globl bt_plugin_header_end
    .hidden bt_plugin_header
    .hidden bt_plugin_header_end
bt_plugin_header:
    .incbin "include/baton/plugin.h"
bt_plugin_header_end:
    .byte 0
    .section .note.GNU-stack,"",%progbits
