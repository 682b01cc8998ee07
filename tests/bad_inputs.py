"""Bad inputs as a table: what a slip of the hand can do to a command, and what the one line that answers it has to say.

A line is `command -> part | part`: the parts stand in the message. Variables come before the command, as in a shell.
"""
# ruff: noqa: E501

TRAINER = "fit --trainer.devices 1 --trainer.max_epochs 1"
FIT = "fit --trainer.devices 1 --trainer.max_epochs 1 --model MLP --data Synthetic"
COMMANDS: dict[str, str] = {
    # Classes.
    TRAINER: """
--model MLPP --data Synthetic -> --model MLPP | Did you mean MLP? | SmallInception
--model VGG16 --data Synthetic -> --model VGG16 | SmallAlexNet, SmallInception
--model smallinception --data Synthetic -> smallinception | Did you mean SmallInception?
--model foo.Bar --data Synthetic -> --model foo.Bar | there is no such class | MLP
--model torch.nn.Linear --data Synthetic -> --model torch.nn.Linear | MLP
--model subprocess.call --data Synthetic -> --model subprocess.call | MLP
--model Classifier --data Synthetic -> --model Classifier | SmallAlexNet, SmallInception
--model '' --data Synthetic -> --model
--model 5 --data Synthetic -> --model 5
--model null --data Synthetic -> --model | MLP
--data Synthetic -> --model is missing | SmallAlexNet, SmallInception
--model.learning_rate 0.1 --data Synthetic -> --model is missing | WideResNet
--model.dropout 0.5 --model MLP --data Synthetic -> --model.dropout 0.5 | --model has to stand before
--model MLP --data CIFAR -> --data CIFAR | Did you mean CIFAR10?
--model MLP -> --data is missing | CIFAR10 | Synthetic (generated images, no download)
--model MLP --data ImageDataModule -> --data | ImageDataModule | CIFAR10
--model MLP --data MLP -> --data MLP | CIFAR10
--model MLP --data null -> --data | CIFAR10
--model SmallAlexNet --data Synthetic --model.hidden_sizes [3] -> --model.hidden_sizes [3] | SmallAlexNet has no such option | weight_decay
--model.help MLPP -> MLPP | Did you mean MLP?
""",
    FIT: """
--data.randomization RandomLabel -> --data.randomization RandomLabel | Did you mean RandomLabels?
--data.randomization Randomization -> Randomization
--data.randomization os.system -> --data.randomization os.system | RandomLabels
--data.randomization 3 -> --data.randomization 3
--data.randomization.probability 0.5 -> --data.randomization.probability 0.5 | --data.randomization has to stand before | RandomLabels
--data.randomization PartiallyCorruptedLabels -> --data.randomization.probability is missing | 0 is TrueLabels
--data.randomization PartiallyCorruptedLabels --data.randomization.probability 1.5 -> --data.randomization.probability 1.5 | a number from 0 to 1
--data.randomization PartiallyCorruptedLabels --data.randomization.probability -0.1 -> --data.randomization.probability -0.1 | a number from 0 to 1
--data.randomization PartiallyCorruptedLabels --data.randomization.probability half -> --data.randomization.probability half | a number from 0 to 1
--data.randomization PartiallyCorruptedLabels --data.randomization.probability nan -> --data.randomization.probability nan | a number from 0 to 1
--data.randomization PartiallyCorruptedLabels --data.randomization.probability inf -> --data.randomization.probability inf | a number from 0 to 1
--data.randomization PartiallyCorruptedLabels --data.randomization.probability null -> --data.randomization.probability
--data.randomization PartiallyCorruptedLabels --data.randomization.probabilty 0.5 -> --data.randomization.probabilty 0.5 | Did you mean --data.randomization.probability?
--data.randomization RandomLabels --data.randomization.seed -1 -> --data.randomization.seed -1 | from 0 to 4294967295
--data.randomization RandomLabels --data.randomization.seed 99999999999 -> --data.randomization.seed 99999999999 | from 0 to 4294967295
--data.randomization RandomLabels --data.randomization.seed 1.5 -> --data.randomization.seed 1.5 | a whole number
--data.randomization RandomLabels --data.randomization.seed x -> --data.randomization.seed x | a whole number
--data.randomization GaussianPixels --data.randomization.seed -1 -> --data.randomization.seed -1 | from 0 to 4294967295
--data.randomization GaussianPixels --data.randomization.statistics all -> --data.randomization.statistics all | one of global, channel
--data.randomization ShuffledPixels --data.randomization.scope rows -> --data.randomization.scope rows | one of
--data.randomization ShuffledPixels --data.randomization.region left -> --data.randomization.region left | one of centre, full
--data.randomization ShuffledPixels --model.augmentation random_crop -> --data.randomization.region full
--data.randomization ShuffledPixels --model.crop_first false -> --data.randomization.region full
--model.dropuot 0.5 -> --model.dropuot 0.5 | MLP has no such option | Did you mean --model.dropout?
--modle MLP -> --modle MLP | Did you mean --model?
--modle.dropout 0.5 -> --modle.dropout 0.5 | Did you mean --model.dropout?
--trainer.max_epoch 3 -> --trainer.max_epoch 3 | Did you mean --trainer.max_epochs?
--trainer.max_epochs -> --trainer.max_epochs needs a value
--trainer.callbacks.duration={} -> --trainer.callbacks is missing | Callback is only what all of them share
RandomLabels -> 'RandomLabels' is left over | --name value
-x 3 -> -x
--model.seed 3 -> --model.seed | use --seed_everything
--model.init_args.seed 3 -> --model.seed | use --seed_everything
--data.seed 3 -> --data.seed | --data.subset_seed
--model.image_shape [1,2,3] -> --model.image_shape | the data set sets it
--model.num_classes 3 -> --model.num_classes | the data set sets it
--model.dropout 1.5 -> --model.dropout 1.5 | a number from 0 to 1
--model.dropout nan -> --model.dropout nan | a number from 0 to 1
--model.batch_norm maybe -> --model.batch_norm maybe | true or false
--model.batch_norm 2 -> --model.batch_norm 2 | true or false
--model.learning_rate=-1 -> --model.learning_rate -1 | a number above 0
--model.learning_rate 0 -> --model.learning_rate 0 | a number above 0
--model.learning_rate nan -> --model.learning_rate nan | a number above 0
--model.learning_rate inf -> --model.learning_rate inf | finite
--model.learning_rate 1e400 -> --model.learning_rate 1e400 | finite
--model.learning_rate fast -> --model.learning_rate fast | a number above 0
--model.learning_rate [0.1] -> --model.learning_rate [0.1] | a number above 0
--model.learning_rate 0,1 -> --model.learning_rate 0,1 | a number above 0
--model.learning_rate null -> --model.learning_rate null | expected a value
--model.weight_decay inf -> --model.weight_decay inf | finite
--model.weight_decay -1 -> --model.weight_decay -1 | a number, 0 or more
--model.weight_decay nan -> --model.weight_decay nan
--model.weight_decay_on biases -> --model.weight_decay_on biases | one of recipe, weights, all
--model.momentum 1.5 -> --model.momentum 1.5 | a number from 0 to 1
--model.momentum nan -> --model.momentum nan | a number from 0 to 1
--model.decay 0 -> --model.decay 0 | a number above 0
--model.decay .inf -> --model.decay .inf | a number above 0
--model.decay_steps 0 -> --model.decay_steps 0 | a whole number above 0
--model.decay_steps 1.5 -> --model.decay_steps 1.5 | a whole number above 0
--model.staircase perhaps -> --model.staircase perhaps | true or false
--model.crop_first both -> --model.crop_first both | true or false
--model.initialization zeros -> --model.initialization zeros | he_normal
--model.augmentation random_corp -> --model.augmentation random_corp | one of none, random_crop, flip_rotate | Did you mean random_crop?
--model.weights_from 0123456789ab -> 0123456789ab
--model.recipe Adagrad -> --model.recipe Adagrad
--model.recipe Recipe -> Recipe
--model.recipe Adam --model.momentum 0.5 -> --model.momentum 0.5 is not used by the recipe Adam
--model.recipe SGD --model.recipe.schedule cosine --model.recipe.learning_rate 0.1 -> cosine_steps
--model.recipe Adam --model.recipe.learning_rate inf -> --model.recipe.learning_rate inf | finite
--model.recipe Adam --model.recipe.learning_rate 0 -> --model.recipe.learning_rate 0
--model.hidden_sizes [0] -> --model.hidden_sizes [0] | a whole number above 0
--model.hidden_sizes [-5] -> --model.hidden_sizes [-5] | a whole number above 0
--model.hidden_sizes [1.5] -> --model.hidden_sizes [1.5] | a whole number above 0
--model.hidden_sizes [x] -> --model.hidden_sizes [x] | a whole number above 0
--model.hidden_sizes 512 -> --model.hidden_sizes 512 | a list in brackets, such as [512]
--model.hidden_sizes [512 -> --model.hidden_sizes [512 | a list in brackets
--model.hidden_sizes [99999999999999999999] -> --model.hidden_sizes
--model.hidden_sizes [100000000000] -> memory
--data.batch_size 0 -> --data.batch_size 0 | a whole number above 0
--data.batch_size -3 -> --data.batch_size -3 | a whole number above 0
--data.batch_size 1e3 -> --data.batch_size 1e3 | a whole number above 0
--data.batch_size 1.5 -> --data.batch_size 1.5 | a whole number above 0
--data.batch_size nan -> --data.batch_size nan | a whole number above 0
--data.batch_size 99999999999999999999 -> --data.batch_size 99999999999999999999 | below 2^63
--data.train_size 9999 -> train_size 9999 | 512 training images
--data.train_size 0 -> --data.train_size 0 | a whole number above 0
--data.train_size all -> --data.train_size all | a whole number above 0
--data.test_size 9999 -> --data.test_size 9999 | 256 images
--data.validation_size 512 -> validation_size 512 | 512 training images
--data.validation_size -1 -> --data.validation_size -1 | 0 or more
--data.train_size 500 --data.validation_size 100 -> train_size 500 | validation_size 100
--data.subset_seed -1 -> --data.subset_seed -1 | from 0 to 4294967295
--data.subset_seed 99999999999 -> --data.subset_seed 99999999999 | from 0 to 4294967295
--data.leave_out 512 -> --data.leave_out 512 | from 0 to 511
--data.leave_out -1 -> --data.leave_out -1 | 0 or more
--data.leave_out 0 --data.batch_size 1 -> --data.leave_out 0 | without any example
--data.steps_per_call 0 -> --data.steps_per_call 0 | a whole number above 0
--data.evaluation_batch_size 0 -> --data.evaluation_batch_size 0 | a whole number above 0
--data.num_train 0 -> --data.num_train 0 | a whole number above 0
--data.num_classes 0 -> --data.num_classes 0 | a whole number above 0
--data.noise nan -> --data.noise nan | a number
--data.noise inf -> --data.noise inf | a number
--data.pattern_seed -1 -> --data.pattern_seed -1 | from 0 to 4294967295
--trainer 5 -> --trainer 5: expected options by name
--trainer [] -> --trainer
--trainer.max_epochs abc -> --trainer.max_epochs abc | a whole number
--trainer.max_epochs -3 -> max_epochs | -3 | non-negative
--trainer.max_epochs 1.5 -> --trainer.max_epochs 1.5 | a whole number
--trainer.max_epochs null -> --trainer.max_epochs | --trainer.max_steps
--trainer.max_epochs -1 -> --trainer.max_epochs -1 | without end
--trainer.max_steps -5 -> max_steps | -5
--trainer.max_steps x -> --trainer.max_steps x | a whole number
--trainer.max_epochs 2 --trainer.min_epochs 3 -> --trainer.min_epochs 3 | --trainer.max_epochs 2
--trainer.min_epochs x -> --trainer.min_epochs x | a whole number
--trainer.check_val_every_n_epoch 0 -> --trainer.check_val_every_n_epoch 0 | 1 or more
--trainer.check_val_every_n_epoch -1 -> --trainer.check_val_every_n_epoch -1 | 1 or more
--trainer.check_val_every_n_epoch x -> --trainer.check_val_every_n_epoch x | a whole number
--trainer.val_check_interval 0 -> val_check_interval
--trainer.max_epochs 0 -> --trainer.max_epochs 0 trains nothing
--trainer.max_steps 0 -> --trainer.max_steps 0 trains nothing
--trainer.limit_train_batches 0 -> --trainer.limit_train_batches 0 trains nothing
--trainer.callbacks LearningRateFinder -> LearningRateFinder
--trainer.callbacks DeviceStatsMonitor -> DeviceStatsMonitor | logger
--trainer.barebones true -> --trainer.barebones true
--precision 32-true --trainer.precision 64-true -> --trainer.precision 64-true
--trainer.val_check_interval 1.5 -> val_check_interval | 1.5
--trainer.log_every_n_steps -1 -> --trainer.log_every_n_steps -1 | 0 or more
--trainer.limit_train_batches -1 -> limit_train_batches | -1
--trainer.limit_train_batches 1.5 -> limit_train_batches | 1.5
--trainer.limit_train_batches nan -> --trainer.limit_train_batches nan | a number
--trainer.limit_val_batches -1 -> limit_val_batches | -1
--trainer.limit_val_batches x -> --trainer.limit_val_batches x
--trainer.overfit_batches 2.5 -> overfit_batches | 2.5
--trainer.fast_dev_run -1 -> fast_dev_run | -1
--trainer.max_time soon -> 'soon' | DD:HH:MM:SS
--trainer.max_time 5 -> '5' | DD:HH:MM:SS
--trainer.num_sanity_val_steps -2 -> --trainer.num_sanity_val_steps -2 | -1 or more
--trainer.accumulate_grad_batches 0 -> accumulate_grad_batches
--trainer.accumulate_grad_batches 2 -> accumulate_grad_batches
--trainer.gradient_clip_val 1 -> gradient_clip_val=1 | Remove
--trainer.gradient_clip_val inf -> --trainer.gradient_clip_val inf | a number
--trainer.gradient_clip_algorithm size -> size
--trainer.accelerator gpux -> gpux | cuda
--trainer.accelerator gpu -> gpu
--trainer.accelerator tpu -> torch_xla
--trainer.devices x -> --trainer.devices x | auto, a number
--trainer.devices 0 -> --trainer.devices 0
--trainer.devices -5 -> --trainer.devices -5
--trainer.devices 99 -> --trainer.devices 99 | no GPU | at most
--trainer.devices 1.5 -> --trainer.devices 1.5
--trainer.devices [] -> --trainer.devices []
--trainer.devices [0,0] -> devices
--trainer.num_nodes 2 -> --trainer.num_nodes 2 | torchrun | SLURM
--trainer.num_nodes 0 -> num_nodes | 0
--trainer.num_nodes x -> --trainer.num_nodes x | a whole number
--trainer.strategy dpp -> dpp
--trainer.strategy 3 -> 3
--trainer.precision 16-mixed -> --trainer.precision 16-mixed | Use --precision with one of auto, 32-true
--trainer.precision 17 -> 17
--trainer.logger CSVLoger -> --trainer.logger CSVLoger | Did you mean CSVLogger?
--trainer.logger 5 -> --trainer.logger 5
--trainer.profiler fast -> profiler | simple
--trainer.plugins magic -> magic
--trainer.callbacks EarlyStoping -> EarlyStoping | EarlyStopping
--trainer.callbacks 5 -> --trainer.callbacks 5
--trainer.callbacks EarlyStopping -> monitor
--trainer.callbacks EarlyStopping --trainer.callbacks.monitor val_loss -> val_loss | test/accuracy
--trainer.callbacks EarlyStopping --trainer.callbacks.monitor validation/loss -> validation/loss | test/accuracy
--trainer.callbacks EarlyStopping --trainer.callbacks.monitor train/loss --trainer.callbacks.mode up -> up
--trainer.callbacks EarlyStopping --trainer.callbacks.monitor train/loss --trainer.callbacks.patience x -> patience x | a whole number
--trainer.callbacks ModelCheckpoint --trainer.callbacks.monitor nothing -> nothing | test/accuracy
--trainer.callbacks ModelCheckpoint --trainer.callbacks.save_top_k 2 -> save_top_k
--trainer.callbacks Timer --trainer.callbacks.duration soon -> soon
--precision 16-mixed -> --precision 16-mixed | 32-true | bf16-mixed
--precision 32 -> --precision 32 | 32-true
--timeout 0 -> --timeout 0 | a number above 0
--timeout nan -> --timeout nan | a number above 0
--timeout inf -> --timeout inf | finite
--timeout soon -> --timeout soon | a number above 0
--wandb of -> --wandb of | off, offline, online | Did you mean off?
--wandb true -> --wandb true | off, offline, online
--tags paper -> --tags paper | a list in brackets
--force maybe -> 'maybe' is left over
--convergence.stop_rule 'acc>1' -> 'acc>1' | such as accuracy>=0.99
--convergence.stop_rule '' -> no convergence rule
--convergence.stop_rule 'accuracy>=1.5' -> 'accuracy>=1.5' | (0, 1]
--convergence.stop_rule 'loss<0' -> 'loss<0'
--convergence.stop_rule 'loss<nan' -> 'loss<nan'
--convergence.rules '[error<1]' -> 'error<1' | such as accuracy>=0.99
--convergence.rules loss -> --convergence.rules loss
--convergence.stop_after -1 -> --convergence.stop_after -1 | 0 or more
--convergence.stop_after x -> --convergence.stop_after x
--convergence 5 -> --convergence 5: expected options by name
--checkpoint.every_seconds -1 -> --checkpoint.every_seconds -1 | 0 or more
--checkpoint.every_seconds inf -> --checkpoint.every_seconds inf | finite
--checkpoint.every_n_steps 0 -> --checkpoint.every_n_steps 0 | a whole number above 0
--checkpoint.keep_epochs [0] -> --checkpoint.keep_epochs [0] | a whole number above 0
--checkpoint.keep_epochs 5 -> --checkpoint.keep_epochs 5 | a list in brackets
--checkpoint.keep_epochs [5] --trainer.max_epochs 1 -> --checkpoint.keep_epochs [5] | --trainer.max_epochs 1
--history 1 -> --history
--record.run_id x -> --record.run_id x
--seed_everything -3 -> --seed_everything -3 | from 0 to 4294967295
--seed_everything 99999999999999999999 -> --seed_everything 99999999999999999999 | from 0 to 4294967295
--seed_everything 1.5 -> --seed_everything 1.5 | a whole number
--seed_everything x -> --seed_everything x | a whole number
--seed_everything true -> --seed_everything true
--seed_everything null -> --seed_everything
--ckpt_path no.ckpt -> --ckpt_path no.ckpt | there is no such file
--ckpt_path last -> --ckpt_path last | there is no such file
--ckpt_path best -> --ckpt_path best | there is no such file
--ckpt_path configs -> --ckpt_path configs
--ckpt_path hello.txt -> hello.txt | damaged
--ckpt_path LONG -> aaa | too long
--ckpt_path 'a\x00b' -> --ckpt_path
--runs hello.txt -> hello.txt
--runs hello.txt/runs -> hello.txt
--runs LONG -> aaa | too long
--runs LONGPATH -> a/a | too long
--config configs/bse.yaml -> --config configs/bse.yaml | there is no such file | Did you mean configs/base.yaml?
--config broken.yaml -> --config broken.yaml, line 3 | not YAML
--config other/broken.yaml -> --config other/broken.yaml, line 3 | not YAML
--config LONG -> --config aaa | too long
--config '' -> --config (nothing)
--config configs -> --config configs: damaged (this is a folder
--config other/value.yaml -> --model.dropout 1.5 in other/value.yaml
--config -> --config: expected one argument
--config utf16.yaml -> utf16.yaml | UTF-8
--config binary.bin -> binary.bin | UTF-8
--config bomb.yaml -> bomb.yaml
--config deep.yaml -> deep.yaml
--config itself.yaml -> itself.yaml
SLURM_RESTART_COUNT=x -> SLURM_RESTART_COUNT=x | a whole number
SLURM_RESTART_COUNT=1.5 -> SLURM_RESTART_COUNT=1.5 | a whole number
SLURM_JOB_ID=1 SLURM_NTASKS=1 SLURM_JOB_NAME=x SLURM_PROCID=x -> SLURM_PROCID=x | a whole number
SLURM_JOB_ID=1 SLURM_NTASKS=x SLURM_JOB_NAME=x SLURM_PROCID=0 -> SLURM_NTASKS=x | a whole number
SLURM_JOB_ID=1 SLURM_NTASKS=7 SLURM_JOB_NAME=x SLURM_PROCID=0 -> SLURM
RETHINK_RUNS=hello.txt -> hello.txt
RANK=x WORLD_SIZE=1 LOCAL_RANK=0 GROUP_RANK=0 LOCAL_WORLD_SIZE=1 TORCHELASTIC_RUN_ID=1 -> RANK=x | a whole number
LOCAL_RANK=0 RANK=0 WORLD_SIZE=x GROUP_RANK=0 LOCAL_WORLD_SIZE=1 TORCHELASTIC_RUN_ID=1 -> WORLD_SIZE=x | a whole number
""",
    # Commands that evaluate.
    "": """
fti -> there is no command 'fti' | Did you mean 'fit'?
FIT -> there is no command 'FIT'
--verbose -> there is no command '--verbose'
'' -> there is no command ''
validate --model MLP --data Synthetic --trainer.devices 1 -> there are no weights | rethink fit
test --model MLP --data Synthetic --trainer.devices 1 -> there are no weights | rethink fit
predict --model MLP --data Synthetic --trainer.devices 1 -> there are no weights | rethink fit
predict --model MLP --data Synthetic --trainer.devices 1 --ckpt_path nothing.ckpt -> --ckpt_path nothing.ckpt | there is no such file
predict --model MLP --data Synthetic --trainer.devices 1 --ckpt_path hello.txt -> hello.txt | damaged
validate --model MLP --data Synthetic --trainer.devices 1 --ckpt_path other -> --ckpt_path other
predict --trainer.devices 1 -> --model is missing
test --model MLP -> --data is missing
validate --model MLP --data Synthetic --trainer.max_epoch 3 -> --trainer.max_epoch 3
show 0123456789ab -> there is no run '0123456789ab'
show --runs -> --runs: expected one argument
show --jsn -> --jsn
show LONG -> aaa
data -> {get,status
data fetch cifar10 -> 'fetch'
data get -> DATASET
data get cifar100000 -> 'cifar100000' | Did you mean 'cifar10'?
data get imagenet -> image-net.org | docs/imagenet.md | imagenet-samples
data get imagenet21k -> 'imagenet21k' | cifar10
data get mnist --from nowhere -> nowhere (--from) is not a folder
data get mnist --from hello.txt -> hello.txt (--from) is not a folder
data get mnist --from other -> other
data get mnist --mirror nowhere -> 'nowhere' is no address | --from
data get mnist --mirror ftp:/x -> 'ftp:/x' is no address
data get mnist --root hello.txt --from other -> hello.txt
data get mnist --frm x -> --frm
RETHINK_MIRROR=nowhere data get mnist -> 'nowhere' is no address | RETHINK_MIRROR
data status extra -> extra
sweep -> COMMAND
sweep plna good -> 'plna'
sweep plan -> EXPERIMENT
sweep plan goood -> there is no experiment 'goood' | Did you mean 'good'?
sweep plan ../other -> there is no experiment '../other'
sweep plan '' -> there is no experiment ''
sweep plan good --scale big -> 'big' | full
sweep plan good --seeds a,b -> 'a,b' is no list of seeds
sweep plan good --seeds -1 -> seeds
sweep plan good --seeds 1.5 -> '1.5' is no list of seeds
sweep plan good --seeds 0,99999999999 -> 99999999999 | from 0 to 4294967295
sweep plan good --only nothing -> --only 'nothing' leaves no run
sweep plan good --workers 2 -> --workers
sweep run good --workers 0 -> '0' is not a number from 1 up
sweep run good --workers -1 -> -1
sweep run good --workers x -> 'x' is not a number from 1 up
sweep run good --workers ² -> '²' is not a number from 1 up
sweep run good --devices 0 -> '0' is not a number from 1 up
sweep run good --devices 2 --launcher slurm -> --devices is for --launcher local
sweep run good --workers 2 --launcher slurm -> --workers is for --launcher local
sweep run good --export-only -> --export-only is for --launcher slurm
sweep run good --detach -> --detach is for --launcher slurm
sweep run good --launcher sulrm -> 'sulrm' | slurm
sweep run good --launcher local --launcher-config other/value.yaml -> --launcher-config is for slurm and kubernetes
sweep run good --launcher slurm --export-only --launcher-config nothing.yaml -> nothing.yaml | --launcher-config
sweep run good --launcher slurm --export-only --launcher-config broken.yaml -> broken.yaml | not YAML
sweep run good --launcher slurm --export-only --launcher-config binary.bin -> binary.bin | UTF-8
sweep run good --launcher slurm --export-only --launcher-config configs -> configs
sweep run good --launcher kubernetes --launcher-config other/value.yaml -> unknown key 'model' | image
PATH=/nowhere sweep run good --launcher slurm -> sbatch
sweep status goood --once -> there is no experiment 'goood'
sweep cancel goood -> there is no experiment 'goood'
sweep retry goood -> there is no experiment 'goood'
sweep task -> file
sweep task nothing.txt 0 -> nothing.txt
sweep task commands.txt 7 -> commands.txt has 5 lines | no line 7
sweep task commands.txt -1 -> no line -1
sweep task commands.txt x -> 'x'
sweep task commands.txt 0 -> line 0 of commands.txt is no `rethink fit
sweep task commands.txt 1 -> line 1 of commands.txt is no `rethink fit
sweep task commands.txt 2 -> line 2 of commands.txt
sweep task commands.txt 3 -> line 3 of commands.txt is no `rethink fit
sweep task commands.txt 4 -> --model MLPP
sweep task binary.bin 0 -> binary.bin
sweep task other 0 -> other
SLURM_PROCID=x sweep task commands.txt 4 -> SLURM_PROCID=x | a whole number
report goood -> there is no experiment 'goood' | Did you mean 'good'?
report good -> good: nothing of it is done yet
report good --scale huge -> 'huge'
report good --rule 'acc>1' -> 'acc>1'
report good --rule 'loss<0' -> 'loss<0'
report good --seeds x -> 'x' is no list of seeds
report good --output -> --output: expected one argument
publish goood -> there is no experiment 'goood'
publish good -> good has nothing at full scale yet
publish good --scale demo -> --scale
restore -> There are no records in experiments/records
restore now -> now
wandb -> {push,workspace}
wandb pull -> 'pull'
wandb push 0123456789ab -> there is no run '0123456789ab'
wandb push --experiment goood -> there is no experiment 'goood'
wandb push --mode off -> 'off' | offline
wandb push --timeout soon -> soon
wandb push --timeout nan -> nan
wandb push --timeout -1 -> -1
wandb push --seeds x -> 'x' is no list of seeds
wandb workspace -> --entity is missing
wandb workspace --project -> --project: expected one argument
analyze Nothing -> there is no analysis 'Nothing'
analyze NormMeasure --runs [x] -> 'NormMeasure' | Did you mean 'NormMeasures'?
analyze os.system -> 'os.system' is no Analysis
analyze nowhere.Analysis -> there is no module 'nowhere' here
analyze rethink.nowhere.Analysis -> 'rethink.nowhere'
analyze rethink.analyses.analysis.Nothing -> has no class 'Nothing'
analyze .x -> '.x'
analyze NormMeasures -> --runs is missing
analyze NormMeasures --runs [] -> --runs is empty
analyze NormMeasures --runs 5 -> --runs 5 | a list in brackets
analyze NormMeasures --runs [0123456789ab] -> there is no run 0123456789ab
analyze NormMeasures --runs [a,b] -> --runs names 2
analyze NormMeasures --runs [a] --sigma inf -> --sigma inf | finite
analyze NormMeasures --runs [a] --sigma -1 -> --sigma -1 | a number above 0
analyze NormMeasures --runs [a] --draws 0 -> --draws 0 | a whole number above 0
analyze NormMeasures --runs [a] --examples x -> --examples x | a whole number above 0
analyze NormMeasures --runs [a] --seed -1 -> --seed -1 | from 0 to 4294967295
analyze NormMeasures --runs [a] --sigme 1 -> --sigme 1 | Did you mean --sigma?
analyze NormMeasures --runs [a] --config nothing.yaml -> nothing.yaml
analyze Capacity --confidence 1 -> --confidence 1
analyze Capacity --confidence nan -> --confidence nan
analyze Capacity --examples 0 -> --examples 0 | a whole number above 0
analyze UniformStability --runs [a] -> there is no run a
analyze Alignment --runs [a] --epochs [0] -> --epochs [0] | a whole number above 0
analyze Alignment --runs [a] --images x -> --images x
analyze Probes --runs [a] --features 0 -> --features 0
analyze Similarity --runs [] -> --runs is empty
analyze LayerPictures --runs [a] --maps 0 -> --maps 0
analyze NearestNeighbours -> --randomization is missing
analyze NearestNeighbours --randomization Nothing -> --randomization | 'Nothing'
analyze NearestNeighbours --randomization RandomLabels --dataset ImageNet21k -> --dataset | 'ImageNet21k'
analyze KernelInterpolation --folds 1 -> --folds 1
analyze KernelInterpolation --gamma 0 -> --gamma 0
analyze KernelInterpolation --gamma inf -> --gamma inf | finite
analyze KernelInterpolation --l2 -1 -> --l2 -1
analyze KernelInterpolation --l2 inf -> --l2 inf | finite
analyze KernelInterpolation --dataset FMNIST -> --dataset FMNIST | FashionMNIST
analyze KernelInterpolation --features gabor --kernel linear -> --features gabor goes with --kernel gaussian
analyze KernelInterpolation --sizes [0] -> --sizes [0]
analyze KernelInterpolation --precision float16 -> --precision float16 | float64
analyze RandomConvInterpolation --filters 0 -> --filters 0
analyze RandomConvInterpolation --l2 [inf] -> --l2 | finite
analyze ImplicitRegularization --n 200 --d 100 -> --d 100 is less than --n 200
analyze ImplicitRegularization --rate 0 -> --rate 0
analyze ImplicitRegularization --adam_rate inf -> --adam_rate inf | finite
analyze ImplicitRegularization --labels wrong -> --labels wrong
analyze ImplicitRegularization --steps 0 -> --steps 0
analyze FiniteSampleExpressivity --n 0 -> --n 0
analyze FiniteSampleExpressivity --depth 1 -> depth 1
analyze FiniteSampleExpressivity --targets words -> --targets words | random_labels
analyze FiniteSampleExpressivity --dataset gaussian -> --d
analyze FiniteSampleExpressivity --seed 99999999999 --dataset gaussian --d 3 -> --seed 99999999999 | from 0 to 4294967295
""",
}

CONFIGS: dict[str, str] = {
    "": "it is empty",
    "# nothing": "it is empty",
    "- 1\n- 2": "trainer: {max_epochs",
    "hello": "it has no options",
    "5": "it has no options",
    "null": "it is empty",
    "\x00\x01": "not YAML",
    "a: b: c": "not YAML",
    "trainer: [": "not YAML",
    "trainer: &x {max_epochs: *y}": "not YAML",
    "\ttrainer: 5": "not YAML",
    "trainer: !!python/object/apply:os.system [ls]": "not YAML",
    "? [1, 2]\n: 3": "line 1 | not YAML",
    "5: 6": "5",
    "wandb: off": "--wandb False in case.yaml | YAML reads off as False: write it in quotes",
    "trainer: 5": "--trainer 5 in case.yaml: expected options by name",
    "trainer: [1]": "--trainer [1] in case.yaml: expected options by name",
    "trainer: yes": "--trainer True in case.yaml",
    "convergence: fast": "--convergence fast",
    "checkpoint: 5": "--checkpoint 5 in case.yaml",
    "model: 5": "--model 5 in case.yaml",
    "model: [MLP]": "--model | case.yaml",
    "model: {class_path: MLP, init_args: [0.5]}": "--model",
    "model: {class_path: 5}": "--model | case.yaml",
    "model: {class_path: MLPP}": "--model MLPP in case.yaml | Did you mean MLP?",
    "model: {class_path: MLP, init_args: 5}": "--model | case.yaml",
    "model: {class_path: MLP, init_args: {dropout: 1.5}}": "--model.dropout 1.5 in case.yaml | a number from 0 to 1",
    "model: {class_path: MLP, init_args: {dropuot: 0.5}}": "--model.dropuot 0.5 in case.yaml | Did you mean",
    "model: {class_path: MLP, init_args: {hidden_sizes: [[5]]}}": "--model.hidden_sizes [[5]] in case.yaml",
    "model: {class_path: MLP, init_args: {weight_decay: .inf}}": "--model.weight_decay inf in case.yaml | finite",
    "model: {class_path: MLP, init_args: {learning_rate: 1.0e+400}}": "--model.learning_rate inf in case.yaml | finite",
    "model: {class_path: MLP, init_args: {learning_rate: 2024-01-01}}": "--model.learning_rate 2024-01-01 in case.yaml",
    "model: {class_path: os.system, init_args: {command: ls}}": "--model os.system in case.yaml",
    "data: {class_path: Synthetic, init_args: {num_train: lots}}": "--data.num_train lots in case.yaml",
    "data: {class_path: Synthetic, init_args: {subset_seed: -1}}": "--data.subset_seed -1 in case.yaml | from 0 to",
    "data: {class_path: Synthetic, init_args: {randomization: {class_path: RandomLabels, init_args: {seed: -1}}}}": "--data.randomization.seed -1 in case.yaml | from 0 to",
    "data: {class_path: Synthetic, init_args: {randomization: {class_path: subprocess.call}}}": "--data.randomization subprocess.call in case.yaml",
    "seed_everything: -3": "--seed_everything -3 in case.yaml | from 0 to 4294967295",
    "seed_everything: [1]": "--seed_everything [1] in case.yaml",
    "trainer: {max_epoch: 5}": "--trainer.max_epoch 5 in case.yaml | Did you mean --trainer.max_epochs?",
    "trainer: {max_epochs: 1:30:99}": "--trainer.max_epochs",
    "trainer: {max_epochs: null}": "--trainer.max_epochs",
    "trainer: {devices: x}": "--trainer.devices x in case.yaml",
    "trainer: {devices: {a: 1}}": "--trainer.devices | case.yaml",
    "trainer: {check_val_every_n_epoch: 0}": "--trainer.check_val_every_n_epoch 0 in case.yaml | 1 or more",
    "trainer: {callbacks: {class_path: subprocess.call}}": "--trainer.callbacks | case.yaml",
    "trainer: {logger: {class_path: WandbLogger, init_args: {nmae: x}}}": "nmae",
    "checkpoint: {keep_epochs: [x]}": "--checkpoint.keep_epochs ['x'] in case.yaml",
    "precision: 32": "--precision 32 in case.yaml | 32-true",
    "tags: paper": "--tags paper in case.yaml",
    "modle: MLP": "--modle MLP in case.yaml | Did you mean --model?",
    "fit: {trainer: {max_epochs: 1}}": "--fit",
    "config: other.yaml": "--config",
}
"""Text of a config of `rethink fit` -> parts of the message."""

SWEEPS: dict[str, str] = {
    "": "title, options and groups",
    "- 1": "title, options and groups",
    "hello": "title, options and groups",
    "groups: [": "not YAML",
    "\x00": "not YAML",
    "tilte: x": "unknown key 'tilte' | Did you mean 'title'?",
    "5: x": "unknown key 5",
    "groups: 5": "groups is 5, and not a list",
    "groups: [5]": "5 of group 1 has no keys",
    "groups: [{grdi: {}}]": "unknown key 'grdi' of group 1 | Did you mean 'grid'?",
    "groups: [{grid: {model: MLP}}]": "grid model of group 1 is 'MLP'",
    "groups: [{grid: 5}]": "grid of group 1 is 5",
    "groups: [{options: [model]}]": "options of group 1",
    "groups: [{demo: 5}]": "demo of group 1",
    "groups: [{demo: {grid: {model: MLP}}}]": "grid model of group 1",
    "layers: [configs/nothing.yaml]": "there is no config configs/nothing.yaml",
    "layers: ['configs/{model}.yaml']": "configs/{model}.yaml | placeholder",
    "layers: ['configs/{']": "placeholder",
    "layers: [5]": "layers | 5",
    "layers: configs/base.yaml": "layers is 'configs/base.yaml', and not a list",
    "options: {model: MLP, data: Synthetic}\nseeds: [-1]": "the seeds [-1]",
    "options: {model: MLP, data: Synthetic}\nseeds: [x]": "the seeds ['x']",
    "options: {model: MLP, data: Synthetic}\nseeds: []": "the seeds []",
    "options: {model: MLP, data: Synthetic}\nseeds: [99999999999]": "99999999999 | from 0 to 4294967295",
    "options: {model: MLP, data: Synthetic}\nseeds: 5": "seeds is 5, and not a list",
    "options: {model: MLP, data: Synthetic}\nseeds: [true]": "the seeds [True]",
    "options: {model: MLPP, data: Synthetic}": "--model MLPP | Did you mean MLP?",
    "options: {model: MLP, data: Synthetic, model.dropout: 2}": "--model.dropout 2",
    "options: {model: MLP, data: Synthetic, 5: 2}": "5",
    "options: {data: Synthetic}": "--model is missing",
    "options: {model: MLP, data: Synthetic, model.weights_from: run(nothing)}\nseeds: [0]": "run(nothing)",
    "options: [model]": "options is ['model']",
    "include: [nothing]": "there is no experiment 'nothing'",
    "include: [case]": "case includes case",
    "include: [5]": "5",
    "include: [{options: {}}]": "name",
    "include: [{name: good, optoins: {}}]": "unknown key 'optoins' of include",
    "include: good": "include is 'good', and not a list",
    "only: MLP": "only is 'MLP', and not a list",
    "include: [good]\nonly: [nothing]": "case has no runs",
    "analyses: [{}]": "analysis 1 has no `analysis:`",
    "analyses: [NormMeasures]": "'NormMeasures' of analysis 1 has no keys",
    "analyses: [{analysis: NormMeasures, of: each}]": "`of: each` of analysis 1",
    "analyses: [{analysis: 5}]": "analysis of analysis 1 is 5",
    "analyses: [{analysis: Nothing}]": "'Nothing'",
    "analyses: [{analysis: Capacity, options: {confidence: 2}}]": "--confidence 2",
    "analyses: [{analysis: Capacity, only: x}]": "only of analysis 1",
    "tolerance: 5": "tolerance is 5",
    "demo: 5": "demo",
    "title: &x [*x]": "",
}
"""Text of an experiment's sweep.yaml -> parts of the message of `rethink sweep plan`."""

SLURM: dict[str, str] = {
    "5": "partition",
    "minuts: 5": "unknown key 'minuts' | Did you mean 'minutes'?",
    "minutes: 0": "minutes is 0 | 1 or more",
    "minutes: -1": "minutes is -1",
    "minutes: 1.5": "minutes is 1.5, and not a whole number",
    "minutes: x": "minutes is 'x', and not a whole number",
    "minutes: null": "minutes is None",
    "minutes: true": "minutes is True",
    "nodes: 0": "nodes is 0 | 1 or more",
    "processes_per_node: 0": "processes_per_node is 0 | 1 or more",
    "cpus_per_process: 0": "cpus_per_process is 0 | 1 or more",
    "runs_at_a_time: 0": "runs_at_a_time is 0 | 1 or more",
    "gpus_per_node: -1": "gpus_per_node is -1",
    "memory_gb: -1": "memory_gb is -1",
    "memory_gb: 0": "memory_gb is 0",
    "memory_gb: .inf": "memory_gb is inf",
    "memory_gb: much": "memory_gb is 'much', and not a number",
    "setup: module load cuda": "setup is 'module load cuda', and not a list",
    "setup: [5]": "setup",
    "more: [x]": "more is ['x'], and not keys with values",
    "partition: [a]": "partition is ['a']",
    "partition: 5": "partition is 5",
    "analyses: 5": "analyses is 5, and not keys with values",
    "analyses: {minutes: 0}": "minutes is 0",
    "analyses: {minuts: 0}": "unknown key 'minuts'",
}
"""Text of a launcher's config -> parts of the message of `rethink sweep run good --launcher slurm`."""

KUBERNETES: dict[str, str] = {
    "cpus: 0": "cpus is 0 | 1 or more",
    "gpus: -1": "gpus is -1",
    "image: 5": "image is 5",
    "image: ''": "image",
    "memory: 16": "memory is 16",
    "runs_at_a_time: 0": "runs_at_a_time is 0 | 1 or more",
    "seconds_to_save: -1": "seconds_to_save is -1",
    "retries: x": "retries is 'x', and not a whole number",
    "namspace: x": "unknown key 'namspace' | Did you mean 'namespace'?",
}

DATA_SETS: dict[str, str] = {
    "None": "load | NoneType",
    "5": "load | int",
    "(x, y)": "load | tuple of 2",
    "(x, y, x)": "load | tuple of 3",
    "Arrays(x, y, x, None)": "test_labels | NoneType",
    "Arrays(x.numpy(), y, x, y)": "train_images | ndarray",
    "Arrays(x.float(), y, x, y)": "train_images | float32 | uint8",
    "Arrays(x, y.float(), x, y)": "train_labels | float32 | int64",
    "Arrays(x, y.int(), x, y)": "train_labels | int32 | int64",
    "Arrays(x, y.bool(), x, y)": "train_labels | bool | int64",
    "Arrays(x, y[:, None], x, y)": "train_labels | (64, 1)",
    "Arrays(x, y[:5], x, y)": "64 images | 5 labels",
    "Arrays(x, y, x, y[:5])": "test_images has 64 images | 5 labels",
    "Arrays(x[:0], y[:0], x, y)": "train_labels has no labels",
    "Arrays(x, y, x[:0], y[:0])": "test_labels has no labels",
    "Arrays(x.permute(0, 3, 1, 2), y, x, y)": "train_images | (64, 3, 32, 32) | channels last",
    "Arrays(x[..., 0], y, x, y)": "train_images | (64, 32, 32)",
    "Arrays(x[:, :0], y, x[:, :0], y)": "train_images | no images",
    "Arrays(x, y, x[..., :1], y)": "test_images | (64, 32, 32, 1) | (32, 32, 3)",
    "Arrays(x, y, x[:, :30], y)": "test_images | (64, 30, 32, 3)",
    "Arrays(x, y - 1, x, y)": "train_labels | -1 | from 0",
    "Arrays(x, y, x, y - 1)": "test_labels | -1 | from 0",
    "Arrays(x, y, x, y + 50)": "test_labels | 53 | num_classes",
    "Arrays(x[:, :8, :8], y, x[:, :8, :8], y)": "8x8 | 28x28",
    "Arrays(x.to('meta'), y, x, y)": "train_images | meta",
    "Arrays(x.to_sparse(), y, x, y)": "train_images | sparse",
    "Streams(reader, y, None, y)": "test_images | NoneType",
    "Streams(lambda i: x[i].float(), y, reader, y)": "train_images | float32 | uint8",
    "Streams(lambda i: x[:3], y, reader, y)": "train_images | (3, 32, 32, 3)",
    "Streams(lambda i: x[i].permute(0, 3, 1, 2), y, reader, y)": "train_images | channels last",
    "Streams(lambda i: None, y, reader, y)": "train_images | NoneType",
    "Streams(reader, y, lambda i: x[i][:, :, :30], y)": "test_images | (1, 32, 30, 3)",
    "Streams(reader, y.tolist(), reader, y)": "train_labels | list",
}
"""What a user's own data set returns -> parts of the message; x are 64 images, y their labels."""

FILES: dict[str, bytes] = {
    "hello.txt": b"hello\n",
    "broken.yaml": b"model: MLP\ndata: [1, 2\ntrainer: {\n",
    "other/broken.yaml": b"model: MLP\ndata: [1, 2\ntrainer: {\n",
    "other/value.yaml": b"model:\n  class_path: MLP\n  init_args:\n    dropout: 1.5\n",
    "utf16.yaml": "trainer:\n  max_epochs: 5\n".encode("utf-16"),
    "binary.bin": bytes(range(128, 256)),
    "bomb.yaml": b"a: &a [x, x]\n" + b"".join(b"b%d: &b%d [*%s, *%s]\n" % (i, i, p, p) for i, p in enumerate([b"a", *(b"b%d" % i for i in range(40))])),
    "deep.yaml": b"trainer: " + b"[" * 5000,
    "itself.yaml": b"trainer: &x {a: *x}\n",
    "commands.txt": b"ls\nrethink show\n'rethink fit\n\nrethink fit --model MLPP --data Synthetic\n",
    "experiments/good/sweep.yaml": b"title: Good\noptions: {model: MLP, data: Synthetic, trainer.max_epochs: 1}\n",
    "runs/empty/.keep": b"",
}  # fmt: skip

MINE = '''
import torch
from rethink.data import ImageDataModule
from rethink.data.datamodule import Streams
from rethink.data.store import Arrays

x = torch.zeros(64, 32, 32, 3, dtype=torch.uint8)
y = torch.arange(64) % 4
reader = x.__getitem__


class Mine(ImageDataModule):
    """A data set of the user's own."""

    def load(self):
        return {returned}
'''
