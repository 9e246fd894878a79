"""A tiny random Qwen2 with a byte-level vocabulary, as a Transformers folder and as a GGUF.

Nothing is downloaded. It writes noise, which is what it is for: the servers, the clients and the
streams around it are real.
"""

from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SIZE = {"hidden": 32, "layers": 2, "heads": 2, "kv_heads": 1, "ff": 64, "context": 4_096}


def vocabulary() -> list[str]:
    """Return the 256 byte tokens as byte-level BPE writes them, then the special ones."""
    from tokenizers.pre_tokenizers import ByteLevel

    return [*sorted(ByteLevel.alphabet()), *SPECIAL]


def make_model() -> Any:
    """Return the model with random weights from a fixed seed."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    tokens = vocabulary()
    config = Qwen2Config(
        vocab_size=len(tokens),
        hidden_size=SIZE["hidden"],
        intermediate_size=SIZE["ff"],
        num_hidden_layers=SIZE["layers"],
        num_attention_heads=SIZE["heads"],
        num_key_value_heads=SIZE["kv_heads"],
        max_position_embeddings=SIZE["context"],
        tie_word_embeddings=False,
        bos_token_id=tokens.index("<|endoftext|>"),
        eos_token_id=tokens.index("<|im_end|>"),
    )
    return Qwen2ForCausalLM(config).float().eval()


def write_transformers(folder: Path) -> None:
    """Write a folder that Transformers loads."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    ids = {token: i for i, token in enumerate(vocabulary())}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=SPECIAL[2], pad_token=SPECIAL[0])
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    make_model().save_pretrained(folder)


def write_gguf(path: Path) -> None:
    """Write the same model as a GGUF in full precision."""
    import gguf

    tokens = vocabulary()
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_context_length(SIZE["context"])
    writer.add_embedding_length(SIZE["hidden"])
    writer.add_block_count(SIZE["layers"])
    writer.add_feed_forward_length(SIZE["ff"])
    writer.add_head_count(SIZE["heads"])
    writer.add_head_count_kv(SIZE["kv_heads"])
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    kinds = [gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL for token in tokens]
    writer.add_token_types(kinds)
    # llama.cpp wants a merge to recognise a BPE vocabulary; this one joins two rare bytes.
    writer.add_token_merges([f"{tokens[0]} {tokens[1]}"])
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, tensor in make_model().state_dict().items():
        writer.add_tensor(_gguf_name(name), tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _gguf_name(name: str) -> str:
    renamed = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "lm_head": "output",
        "model.layers": "blk",
        "input_layernorm": "attn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "post_attention_layernorm": "ffn_norm",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    for theirs, ours in renamed.items():
        name = name.replace(theirs, ours)
    return name
