# Code for AVX512-BF16, compiled by way of SIMDe for any x86-64 processor with AVX2: tests/emulated.

EMULATED_SRC := $(wildcard src/cpu/bf16_*.c) $(addprefix src/cpu/,add.c attention_bf16.c dropout_bf16.c gelu.c image_conv.c)
EMULATED_OBJ := $(EMULATED_SRC:%.c=$(BUILD)/obj/emulated/%.o) $(BUILD)/obj/tests/emulated/processor.o
HAVE_SIMDE := $(if $(COMPILING),$(if $(SANITIZE),,$(and $(wildcard /usr/include/simde/x86/avx512.h),$(filter x86_64%,$(shell $(CC) -dumpmachine)))))
EMULATED := $(if $(HAVE_SIMDE),$(addprefix $(BUILD)/tests/emulated/,test_cpu_attention test_cpu_image_conv test_cpu_vs_ref test_cpu_winograd))

$(BUILD)/obj/emulated/%.o: %.c $(BUILD)/flags
	$(call say,CC,"$< (emulated)")
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -mavx2 -mfma -Wno-psabi -isystem tests/emulated -c $< -o $@

# Objects stand before the library, which has the same for processors that have the instructions.
EMULATED_NEEDS := $(EMULATED_OBJ) $(call helpers,ops)
$(EMULATED): $(BUILD)/tests/emulated/%: $(BUILD)/obj/tests/ops/%.o $(EMULATED_NEEDS) $(LIB) $(BUILD)/flags
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(LINK) -Wl,--wrap=processor_of_onednn -o $@ $< $(EMULATED_NEEDS) $(LIB) $(TEST_LIBS) $(LINK_LIBS)

programs: $(EMULATED)
