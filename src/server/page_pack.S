/* page_pack.S — The page's files as part of the binary; see page.c. */
    .section .rodata
    .global bt_page_pack
    .global bt_page_pack_end
    .balign 16
bt_page_pack:
    .incbin "page.pack"
bt_page_pack_end:
    .byte 0
    .section .note.GNU-stack,"",@progbits
