"""What a run has in the place of those of Lightning's callbacks that stop a training, average weights or save them."""

STOP = "trainer.patience=N ends a run after N validations without a better task.metric, exactly also when it resumes"
AVERAGE = "task.average=0.999 averages the weights, and best.ckpt holds the average"
SAVE = "a run writes best.ckpt (task.metric, task.mode, task.keep) and last.ckpt (save_every) itself"
ACCUMULATE = "trainer.accumulate_grad_batches=N accumulates the gradients of N batches, in each epoch"

# {class that no run can have: what to type}
CLASSES = {
    "lightning.pytorch.callbacks.weight_averaging.WeightAveraging": AVERAGE,
    "lightning.pytorch.callbacks.stochastic_weight_avg.StochasticWeightAveraging": AVERAGE,
    "lightning.pytorch.callbacks.checkpoint.Checkpoint": SAVE,
    "lightning.pytorch.callbacks.early_stopping.EarlyStopping": STOP,
    "lightning.pytorch.callbacks.gradient_accumulation_scheduler.GradientAccumulationScheduler": ACCUMULATE,
}
# {option of `callbacks` in other templates: what to type}
OPTIONS = {"early_stopping": STOP, "ema": AVERAGE, "weight_averaging": AVERAGE, "model_checkpoint": SAVE}
