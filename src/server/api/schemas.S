/* schemas.S — The schemas of the API, as part of the binary. */
    .section .rodata
    .global bt_api_schemas
    .global bt_api_schemas_end
    .balign 16
bt_api_schemas:
    .incbin "src/server/api/schemas.json"
bt_api_schemas_end:
    .byte 0
    .section .note.GNU-stack,"",@progbits
