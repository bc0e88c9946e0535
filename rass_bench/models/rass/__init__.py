"""RASS and SCR (IJCV 2026), the reference models, on stock diffusers and transformers networks.

"Official" means github.com/Ka1Guan/RASS at commit 3ee2847. No network is copied or forked: hooks
(``taps.py``) read what blocks of the stock networks put out, and numbers are held against fixtures
that the official code made (tests/parity).

The paper's figure, box by box
------------------------------
===============================  ==================================================================
box                              here
===============================  ==================================================================
low-quality image                ``segmenter.py``: size rule, padding; ``pixels.py``: to tensors
prompt extractor                 ``taggers.py``; ``ram.py`` and ``ram_weights.py``: RAM
text encoder                     ``prompt.py``: cleaning, CLIP's tokens, embeddings by prompt
VAE encoder                      ``networks.py``: ``build_vae``; ``network.py``: ``encode``
diffusion UNet, SCR's LoRA       ``networks.py``: ``build_unet``; ``lora.py``: ``merge_scr``
RASS's LoRA                      ``lora.py``: ``add_lora``, ``merge_lora``
multi-scale features             ``network.py``: ``RassNetwork.features``
feature projection               ``projection.py``; ``windows.py``: windows to one map
segmentation decoder             ``networks.py``: ``build_pixel_decoder``,
                                 ``build_transformer_module`` (transformers' Mask2Former)
segmentation loss                ``rass_bench/train/rass_loss.py``, ``rass_optimizer.py``
SCR: restored latent and image   ``scr.py``; ``restorer.py``: tiles; ``colour.py``: colour fix
restoration loss, semantic-      not in the official repository, and not here
constrained loss (SCL)
===============================  ==================================================================

Around them: ``config.py`` (sizes), ``choices.py`` (``--option``), ``official_files.py``,
``official.py`` and ``checkpoint_file.py`` (official files, their names, reading them safely),
``weights.py`` (the package's own file), ``loading.py`` and ``entries.py`` (from ``--model rass
--weights ...`` to a model), ``sizes.py`` (the paper's parameter counts), ``execution.py``.

The forward pass, step by step
------------------------------
1. The short side is resized to 512, the long side at most 2048; RGB, no mean or deviation.
2. Zeros are padded right and bottom to a multiple of 8: to the uint8 photo, so -1 after scaling.
3. x = photo / 255 * 2 - 1.
4. Square windows of the short side, side by side, the last one shifted to the border.
5. The prompt: RAM's tags of the whole padded photo, cleaned, to CLIP's text encoder; its last
   hidden state, padding included and unmasked.
6. The VAE encoder; the outputs of its second and fourth block are features; so is, scaled by
   0.18215, the latent that goes on.
7. The UNet is told timestep 1, without any noise added; the outputs of its four up blocks are
   features.
8. Each feature is brought to its stride by nearest neighbour and projected to 512 channels; those
   at stride 8 are added up; windows are averaged where they overlap.
9. Mask2Former's head on res2 to res5; sum over queries of P(class) * sigmoid(mask) at the padded
   size; padding cropped; bilinear to the photo's size; best class.

SCR takes steps 3 and 5 to 7 in tiles of 512 pixels that fade into each other (all tiles with the
whole photo's prompt), keeps the UNet's answer, eps, and decodes x0 = (z - sigma eps) / alpha; then
the photo gives its colours back (``scr.py``, ``restorer.py``, ``colour.py``).

Official quirks that are kept, because results depend on them
-------------------------------------------------------------
- Two maps of the VAE encoder are features as well, and ``conv_in``'s own weights are trained; the
  paper's figure shows neither.
- Timestep 1, where OSEDiff, the code's parent, has 999.
- Window features start at the floor of their place over the stride: up to stride - 1 pixels off.
- Tags come from clean photos in training and from low-quality ones at test.
- peft's default alpha of 8: adapters of rank 4 count twice.
- RAM's LoRA of the tag encoder reaches the tagging head through the weights that they share
  (``ram_weights.py``); in released weights it is zero.

Official quirks that are dropped
--------------------------------
- A second tagger (DAPE) whose tags never reach the prompt; RAM asked again for each window, with
  the same photo; both loaded with a text decoder that tags nothing. RAM runs once a photo.
- Unused: the UNet's last convolution, the VAE's decoder (SCR has it), the noise scheduler.
- The latent is an unseeded draw at test, so the same photo scores differently each time. Here it
  is the posterior's mean; ``--option latent=sample`` draws, seeded by the run's seed and the photo.
- The crash where a short side is no multiple of 32 (``windows.cells_of``). Where the official code
  runs, results are the same.
- Taggers in float16, and a resize to 384 without antialiasing under torchvision 0.16: tags near
  their threshold may differ. Here float32, antialiased, as torchvision 0.17 and later do.
- Training: taggers in training mode, whose dropout makes tags random.
"""
